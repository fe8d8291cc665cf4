// Lets a service principal read the secure scores of a $where, and nothing else. The application itself is Entra's:
//   az ad app create --display-name "$name" --query appId --output tsv
//   az ad sp create --id <client id> --query id --output tsv        -> principalId
// Deploy: $deploy
targetScope = '$target'

@description('The object id of the service principal (not the client id).')
param principalId string

$bicep_role
resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid($guid_scope, principalId, roleDefinitionId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: roleDefinitionId
  }
}
