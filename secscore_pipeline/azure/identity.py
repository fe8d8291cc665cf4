"""What an administrator runs to make the identity that reads: `az` commands, Bicep, Terraform. Least privilege."""

import json
from collections.abc import Sequence
from importlib.resources import files
from string import Template

ROLE = "Security Reader"
ROLE_ID = "39bc4728-0917-49c7-9d2c-d95423bc2eb4"

CUSTOM_ROLE = "Secure Score Reader"
ACTIONS = (
    "Microsoft.Security/secureScores/read",
    "Microsoft.Security/secureScoreControls/read",
    "Microsoft.Security/secureScores/secureScoreControls/read",
    "Microsoft.Security/secureScoreControlDefinitions/read",
    "Microsoft.Resources/subscriptions/read",
)
"""What the custom role may do: read scores, controls and definitions, and the names of subscriptions."""

RECOMMENDATION_ACTIONS = ("Microsoft.Security/assessments/read", "Microsoft.Security/assessmentMetadata/read")
"""What reading recommendations takes besides, with `assessments` in SECSCORE_EVENT_TYPES."""

GROUP_ACTION = "Microsoft.Management/managementGroups/descendants/read"
"""What lists the subscriptions below a management group: Security Reader may not do it, nor Management Group Reader."""

FILES = ("setup.sh", "role.bicep", "main.tf")


def recipes(
    name: str,
    subscription_ids: Sequence[str],
    management_group: str | None,
    *,
    custom_role: bool,
    recommendations: bool = False,
) -> dict[str, str]:
    """Return the recipes by file name.

    Args:
        name: what the application is to be called.
        subscription_ids: where it may read; ignored with a management group.
        management_group: where it may read, with everything below; no built-in role but Reader may list what that is,
            so the role is a custom one.
        custom_role: a role of the few actions that are needed, instead of Security Reader.
        recommendations: whether that role may read recommendations too, as Security Reader may.
    """
    base = "/providers/Microsoft.Management/managementGroups"
    scopes = (
        [f"{base}/{management_group}"] if management_group else [f"/subscriptions/{one}" for one in subscription_ids]
    )
    actions = [
        *ACTIONS,
        *(RECOMMENDATION_ACTIONS if recommendations else ()),
        *((GROUP_ACTION,) if management_group else ()),
    ]
    custom_role = custom_role or bool(management_group)
    values = {
        "name": name,
        "role": CUSTOM_ROLE if custom_role else ROLE,
        "scopes": " ".join(scopes),
        "subscription_ids": "*" if management_group else ",".join(subscription_ids),
        "management_group_line": f"AZURE_MANAGEMENT_GROUP_ID={management_group}" if management_group else "",
        "custom_role": _for_az(scopes, actions) if custom_role else "",
        "terraform_scopes": ", ".join(f'"{scope}"' for scope in scopes),
        "terraform_role": _for_terraform(scopes, actions) if custom_role else "",
        "terraform_role_reference": (
            "role_definition_id   = azurerm_role_definition.secscore.role_definition_resource_id"
            if custom_role
            else f'role_definition_name = "{ROLE}"'
        ),
        "bicep_role": _for_bicep(actions if custom_role else (), group=bool(management_group)),
        **_bicep_target(management_group, subscription_ids),
    }
    folder = files(__package__).joinpath("setup")
    return {file: Template(folder.joinpath(file).read_text(encoding="utf-8")).substitute(values) for file in FILES}


def _describe_role(actions: Sequence[str]) -> str:
    more = ", and recommendations" if RECOMMENDATION_ACTIONS[0] in actions else ""
    return f"Reads secure scores, their controls and definitions{more}."


def _for_az(scopes: Sequence[str], actions: Sequence[str]) -> str:
    role = {
        "Name": CUSTOM_ROLE,
        "Description": _describe_role(actions),
        "Actions": list(actions),
        "AssignableScopes": list(scopes),
    }
    return f"\naz role definition create --output none --role-definition '{json.dumps(role)}'\n"


def _for_bicep(actions: Sequence[str], *, group: bool) -> str:
    scope = "managementGroup().id" if group else "subscription().id"
    if not actions:
        kind = "tenantResourceId" if group else "subscriptionResourceId"
        return f"var roleDefinitionId = {kind}('Microsoft.Authorization/roleDefinitions', '{ROLE_ID}') // {ROLE}\n"
    listed = "\n".join(f"          '{action}'" for action in actions)
    return f"""resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {{
  name: guid({scope}, '{CUSTOM_ROLE}')
  properties: {{
    roleName: '{CUSTOM_ROLE}'
    description: '{_describe_role(actions)}'
    type: 'CustomRole'
    assignableScopes: [ {scope} ]
    permissions: [
      {{
        actions: [
{listed}
        ]
      }}
    ]
  }}
}}
var roleDefinitionId = role.id
"""


def _bicep_target(management_group: str | None, subscription_ids: Sequence[str]) -> dict[str, str]:
    file = "--template-file role.bicep --parameters principalId=<object id>"
    if management_group:
        return {
            "where": "management group",
            "target": "managementGroup",
            "guid_scope": "managementGroup().id",
            "deploy": f"az deployment mg create --management-group-id {management_group} --location westeurope {file}",
        }
    each = "" if len(subscription_ids) == 1 else ", once for each subscription"
    return {
        "where": f"subscription{each}",
        "target": "subscription",
        "guid_scope": "subscription().id",
        "deploy": f"az deployment sub create --subscription {subscription_ids[0]} --location westeurope {file}",
    }


def _for_terraform(scopes: Sequence[str], actions: Sequence[str]) -> str:
    listed = "\n".join(f'      "{action}",' for action in actions)
    return f"""
resource "azurerm_role_definition" "secscore" {{
  name              = "{CUSTOM_ROLE}"
  scope             = "{scopes[0]}"
  assignable_scopes = [{", ".join(f'"{scope}"' for scope in scopes)}]
  permissions {{
    actions = [
{listed}
    ]
  }}
}}
"""
