# Makes an application that may read secure scores, and nothing else: no permission of Microsoft Graph is asked for.
# The secret is kept in Terraform's state: keep that where secrets may lie.
terraform {
  required_providers {
    azuread = { source = "hashicorp/azuread", version = "~> 3.0" }
    azurerm = { source = "hashicorp/azurerm", version = "~> 4.0" }
  }
}

provider "azurerm" {
  features {}
}

data "azuread_client_config" "current" {}

resource "azuread_application" "secscore" {
  display_name = "$name"
}

resource "azuread_service_principal" "secscore" {
  client_id = azuread_application.secscore.client_id
}

resource "azuread_application_password" "secscore" {
  application_id = azuread_application.secscore.id
  display_name   = "secscore"
}
$terraform_role
resource "azurerm_role_assignment" "secscore" {
  for_each             = toset([$terraform_scopes])
  scope                = each.value
  $terraform_role_reference
  principal_id         = azuread_service_principal.secscore.object_id
  principal_type       = "ServicePrincipal"
}

output "env" {
  sensitive = true
  value     = <<-EOT
    AZURE_TENANT_ID=$${data.azuread_client_config.current.tenant_id}
    AZURE_CLIENT_ID=$${azuread_application.secscore.client_id}
    AZURE_CLIENT_SECRET=$${azuread_application_password.secscore.value}
    AZURE_SUBSCRIPTION_IDS=$subscription_ids
    $management_group_line
  EOT
}
# terraform output -raw env > .env && chmod 600 .env
