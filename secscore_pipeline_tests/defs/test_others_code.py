"""Proof by others' code: Microsoft's own client reads the local Azure and agrees with what the pipeline stored."""

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.security import SecurityCenter

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import ClientSecret
from secscore_pipeline.azure.tokens import MsalTokenSource
from secscore_pipeline.emulator.world import State, World


class Credential:
    """Hands Microsoft's client a token that MSAL got from the local Azure."""

    def __init__(self, azure):
        cloud = Cloud(azure.url, azure.url)
        application = azure.application
        self._tokens = MsalTokenSource(
            ClientSecret(azure.world.tenant_id, application.client_id, application.secret), cloud, str(azure.ca_bundle)
        )

    def get_token(self, *scopes, **options):
        return AccessToken(self._tokens.token(), 9_999_999_999)


def microsofts_client(azure, subscription_id):
    return SecurityCenter(
        Credential(azure), subscription_id, base_url=azure.url, credential_scopes=[f"{azure.url}/.default"],
        connection_verify=str(azure.ca_bundle), retry_total=0,
    )  # fmt: skip


@pytest.mark.parametrize("page_size", [None, 4])
def test_microsofts_client_agrees_with_what_is_stored(local_azure, store, page_size, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    azure = local_azure(World(subscriptions=2), page_size=page_size)
    store.use(azure)
    store.sync()
    for subscription_id in azure.world.subscriptions:
        client = microsofts_client(azure, subscription_id)
        scores = [
            (score.id, score.name, score.display_name, score.current, score.max, score.percentage, score.weight)
            for score in client.secure_scores.list()
        ]
        assert scores == store.query(
            "select metadata.original_event_uid, unmapped.secure_score.name, finding_info.title, "
            'unmapped.secure_score."current", unmapped.secure_score."max", unmapped.secure_score.percentage, '
            "unmapped.secure_score.weight from ocsf.assessment_findings "
            "where metadata.event_code = 'secureScores' and cloud.account.uid = ?",
            subscription_id,
        )
        controls = sorted(
            (
                control.id, control.display_name, control.current, control.max, control.healthy_resource_count,
                control.unhealthy_resource_count, control.not_applicable_resource_count,
                control.definition.max_score, len(control.definition.assessment_definitions),
            )
            for control in client.secure_score_controls.list(expand="definition")
        )  # fmt: skip
        assert len(controls) == 15
        assert controls == store.query(
            'select metadata.original_event_uid, finding_info.title, unmapped.secure_score."current", '
            'unmapped.secure_score."max", unmapped.secure_score.healthy_resource_count, '
            "unmapped.secure_score.unhealthy_resource_count, unmapped.secure_score.not_applicable_resource_count, "
            "unmapped.secure_score.definition_max, len(compliance.checks) from ocsf.assessment_findings "
            "where metadata.event_code = 'secureScoreControls' and cloud.account.uid = ? order by all",
            subscription_id,
        )
        by_score = list(client.secure_score_controls.list_by_secure_score("ascScore"))
        assert {control.id for control in by_score} == {control[0] for control in controls}
        assert all(control.definition is None for control in by_score)
        assert client.secure_scores.get("ascScore").current == scores[0][3]
        assert len(list(client.secure_score_control_definitions.list())) == 15
        assert len(list(client.secure_score_control_definitions.list_by_subscription())) == 15


def test_microsofts_client_meets_the_documented_errors(local_azure, monkeypatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    world = World(subscriptions=0)
    ids = {state: f"00000000-0000-0000-0000-00000000000{number}" for number, state in enumerate(State)}
    for state, subscription_id in ids.items():
        world.add_subscription(subscription_id, state)
    azure = local_azure(world)
    assert list(microsofts_client(azure, ids[State.UNSCORED]).secure_scores.list()) == []
    with pytest.raises(ResourceNotFoundError) as found:
        microsofts_client(azure, ids[State.UNSCORED]).secure_scores.get("ascScore")
    assert found.value.error is None  # the capitalised keys are none that azure-core reads
    with pytest.raises(HttpResponseError) as refused:
        list(microsofts_client(azure, ids[State.FORBIDDEN]).secure_scores.list())
    assert refused.value.status_code == 403
    assert refused.value.error.code == "AuthorizationFailed"
    with pytest.raises(ResourceNotFoundError) as unregistered:
        list(microsofts_client(azure, ids[State.UNREGISTERED]).secure_scores.list())
    assert unregistered.value.error.code == "Subscription Not Registered"
