#!/bin/sh
# Makes an application that may read secure scores, and nothing else. Run it signed in (az login) as somebody who may
# register applications (Entra role Application Developer) and assign roles (Owner or User Access Administrator).
# It needs no permission of Microsoft Graph and no administrator's consent: the scores are read from Azure Resource
# Manager, where roles count. (Graph's SecurityEvents.Read.All is for another product, Microsoft 365's secure score.)
set -eu

client_id=$$(az ad app create --display-name "$name" --query appId --output tsv)
az ad sp create --id "$$client_id" --output none
object_id=$$(az ad sp show --id "$$client_id" --query id --output tsv)
secret=$$(az ad app credential reset --id "$$client_id" --display-name secscore --years 1 --query password --output tsv)
$custom_role
for scope in $scopes; do
    az role assignment create --assignee-object-id "$$object_id" --assignee-principal-type ServicePrincipal \
        --role "$role" --scope "$$scope" --output none
done

# The secret goes into .env, which is for its owner alone, and not onto the screen.
umask 077
cat > .env <<EOF
AZURE_TENANT_ID=$$(az account show --query tenantId --output tsv)
AZURE_CLIENT_ID=$$client_id
AZURE_CLIENT_SECRET=$$secret
AZURE_SUBSCRIPTION_IDS=$subscription_ids
$management_group_line
EOF
echo "Written to .env. A role may take some minutes to hold; then: secscore test-connection"
