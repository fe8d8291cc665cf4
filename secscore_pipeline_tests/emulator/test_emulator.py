"""The local Azure is honest: its arithmetic is Microsoft's, and it refuses what Azure refuses."""

import json
from decimal import Decimal

import jwt
import pytest
import requests

from secscore_pipeline.emulator.world import DEFINITIONS, Counts, State, World

MFA, DDOS = DEFINITIONS[0].name, "a9909064-42b4-4d34-8143-275477afe18b"


def get(azure, path, token=None, **parameters):
    session = requests.Session()
    session.trust_env = False
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return session.get(azure.url + path, params=parameters, headers=headers, verify=str(azure.ca_bundle))


def token_of(azure, **changes):
    session = requests.Session()
    session.trust_env = False
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.application.client_id,
        "client_secret": azure.application.secret,
        "scope": f"{azure.url}/.default",
        **changes,
    }
    tenant = form.pop("tenant", azure.world.tenant_id)
    return session.post(f"{azure.url}/{tenant}/oauth2/v2.0/token", data=form, verify=str(azure.ca_bundle))


def test_scores_are_rounded_half_even_and_add_up():
    world = World(subscriptions=0)
    subscription = world.add_subscription("00000000-0000-0000-0000-000000000001")
    ports = "52901099-235c-4971-b9d5-a33fca3a936e"
    subscription.counts = {ports: Counts(16, 1, 0), DDOS: Counts(0, 0, 28)}
    first, second = world.controls(subscription, "ascScore", expand=False)
    assert first["properties"]["score"] == {"max": 8, "current": 7.53, "percentage": 0.9412}
    assert second["properties"]["score"] == {"max": 0, "current": 0.0, "percentage": 0.0}
    (score,) = world.scores(subscription)
    assert score["properties"]["score"] == {"max": 8, "current": 7.53, "percentage": 0.9412}
    assert score["properties"]["weight"] == 17 * 8


def test_controls_of_the_tenants_own_are_custom_and_give_no_points():
    world, plain = World(custom_controls=2), World()
    for subscription, other in zip(world.subscriptions.values(), plain.subscriptions.values(), strict=True):
        *others, first, second = world.controls(subscription, "ascScore", expand=True)
        assert others == plain.controls(other, "ascScore", expand=True)
        assert {sourced(control) for control in others} == {"BuiltIn"}
        assert {sourced(first), sourced(second)} == {"Custom"}
        assert first["name"] != second["name"]
        assert first["properties"]["score"] == {"max": 0, "current": 0.0, "percentage": 0.0}
        assert world.scores(subscription) == plain.scores(other)


def sourced(control):
    return control["properties"]["definition"]["properties"]["source"]["sourceType"]


def test_the_world_computes_the_recorded_numbers(shared):
    folder = shared / "azure" / "recorded"
    controls = json.loads((folder / "secureScoreControls.list.json").read_text())["value"]
    (recorded,) = json.loads((folder / "secureScores.list.json").read_text())["value"]
    known = {definition.name for definition in DEFINITIONS}
    world = World(subscriptions=0)
    subscription = world.add_subscription("00000000-0000-0000-0000-000000000000")
    subscription.counts = {
        control["name"]: Counts(
            control["properties"]["healthyResourceCount"],
            control["properties"]["unhealthyResourceCount"],
            control["properties"]["notApplicableResourceCount"],
        )
        for control in controls
    }
    computed = {control["name"]: control for control in world.controls(subscription, "ascScore", expand=False)}
    assert len(known & set(computed)) == 15
    for control in controls:
        if control["name"] in computed:
            ours, theirs = computed[control["name"]]["properties"], control["properties"]
            assert (ours["score"], ours["weight"]) == (theirs["score"], theirs["weight"])
    missing = [control for control in controls if control["name"] not in known]
    assert all(control["properties"]["score"]["max"] == 0 for control in missing)
    (score,) = world.scores(subscription)
    assert score["properties"]["score"] == recorded["properties"]["score"]
    assert Decimal(score["properties"]["weight"]) == recorded["properties"]["weight"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_id": "00000000-0000-0000-0000-000000000009"}, 400, 700016),
        ({"tenant": "00000000-0000-0000-0000-000000000009"}, 400, 90002),
        ({"tenant": "nonsense"}, 400, 900023),
        ({"scope": ""}, 400, 900144),
        ({"scope": "https://management.azure.com/read"}, 400, 1002012),
        ({"scope": "https://graph.example.com/.default"}, 400, 500011),
    ],
)
def test_entra_refuses_with_microsofts_codes(local_azure, changes, status, code):
    answer = token_of(local_azure(), **changes)
    assert (answer.status_code, answer.json()["error_codes"]) == (status, [code])
    assert f"AADSTS{code}: " in answer.json()["error_description"]


def test_arm_checks_token_version_and_subscription(local_azure):
    world = World(subscriptions=1)
    world.add_subscription("00000000-0000-0000-0000-000000000001", State.FORBIDDEN)
    azure = local_azure(world)
    token = token_of(azure).json()["access_token"]
    normal = next(iter(world.subscriptions))
    path = f"/subscriptions/{normal}/providers/Microsoft.Security/secureScores"
    version = {"api-version": "2020-01-01"}
    cases = [
        (get(azure, path, **version), 401, "AuthenticationFailed"),
        (get(azure, path, "x.y.z", **version), 401, "InvalidAuthenticationToken"),
        (get(azure, path, token), 400, "MissingApiVersionParameter"),
        (get(azure, path, token, **{"api-version": "2019-01-01"}), 400, "InvalidApiVersionParameter"),
        (get(azure, path.replace(normal, "nonsense"), token, **version), 400, "InvalidSubscriptionId"),
        (get(azure, path.replace(normal, normal[:-4] + "ffff"), token, **version), 404, "SubscriptionNotFound"),
        (get(azure, path.replace(normal, "0" * 8 + "-0000-0000-0000-" + "0" * 11 + "1"), token, **version), 403,
         "AuthorizationFailed"),
        (get(azure, path.replace("secureScores", "alerts"), token, **version), 404, "InvalidResourceType"),
    ]  # fmt: skip
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "WWW-Authenticate" in cases[0][0].headers
    answer = get(azure, path.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), token, **version)
    assert answer.status_code == 200
    assert answer.headers["x-ms-ratelimit-remaining-subscription-resource-requests"] == "749"
    assert "nextLink" not in answer.json()
    assert b'"current":' in answer.content


def test_an_expired_or_foreign_token_is_refused(local_azure):
    azure, other = local_azure(token_lifetime=-1), local_azure()
    path = f"/subscriptions/{next(iter(azure.world.subscriptions))}/providers/Microsoft.Security/secureScores"
    expired = get(azure, path, token_of(azure).json()["access_token"], **{"api-version": "2020-01-01"})
    assert expired.json()["error"]["code"] in ("ExpiredAuthenticationToken", "InvalidAuthenticationToken")
    foreign = get(azure, path, token_of(other).json()["access_token"], **{"api-version": "2020-01-01"})
    assert foreign.json()["error"]["code"] == "InvalidAuthenticationToken"


def test_a_tenant_is_known_by_its_domain_and_by_its_guid_in_any_case(local_azure):
    azure = local_azure(World(subscriptions=1))
    world = azure.world
    for name in (world.tenant_id, world.tenant_id.upper(), world.domain, world.domain.upper()):
        found = get(azure, f"/{name}/v2.0/.well-known/openid-configuration").json()
        assert found["token_endpoint"] == f"{azure.url}/{world.tenant_id}/oauth2/v2.0/token"
        token = token_of(azure, tenant=name).json()["access_token"]
        assert jwt.decode(token, options={"verify_signature": False})["tid"] == world.tenant_id
    assert token_of(azure, tenant="fabrikam.com").json()["error_codes"] == [90002]


def test_a_delegated_subscription_is_listed_and_read_and_its_groups_are_not(local_azure):
    world = World(subscriptions=1)
    customer = world.add_customer()
    azure = local_azure(world)
    token = token_of(azure).json()["access_token"]
    listed = get(azure, "/subscriptions", token, **{"api-version": "2022-12-01"}).json()["value"]
    assert [(one["tenantId"], one["managedByTenants"], one["authorizationSource"]) for one in listed] == [
        (world.tenant_id, [], "RoleBased"),
        (customer, [{"tenantId": world.tenant_id}], "RoleBased"),
    ]
    assert all("homeTenantId" not in one for one in listed)
    scores = f"/subscriptions/{listed[1]['subscriptionId']}/providers/Microsoft.Security/secureScores"
    assert get(azure, scores, token, **{"api-version": "2020-01-01"}).status_code == 200
    groups = "/providers/Microsoft.Management/managementGroups/{}/descendants"
    refused = get(azure, groups.format(customer), token, **{"api-version": "2020-05-01"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    own = get(azure, groups.format(world.tenant_id), token, **{"api-version": "2020-05-01"}).json()["value"]
    assert [one["name"] for one in own if one["type"] == "/subscriptions"] == [listed[0]["subscriptionId"]]
