"""The texts of the simulated recommendations, written for the local Azure.

Three lines each. The first: the kind of resource, severity, impact on users, effort, threats (the initials of
`recommendations.THREATS`), and the name. The second is the description, the third the steps of the remediation.
"""

OF_CONTROLS = {
    "34a42fb3-e6db-409c-b56b-7b1db6b8aee0": """
identity High Moderate Low A: Accounts with owner permissions should sign in with a second factor
A password alone can be guessed or stolen; a second factor keeps the account safe when that happens.
Open the account in Entra ID; Add it to a Conditional Access policy that requires multifactor authentication
identity High Moderate Low AE: Accounts with write permissions should sign in with a second factor
An attacker who has the password of such an account can change resources.
Open the account in Entra ID; Add it to a Conditional Access policy that requires multifactor authentication
subscription Medium Moderate Moderate A: Sign-in to the subscription should require a second factor
A policy for the whole subscription also covers accounts that are added later.
Create a Conditional Access policy for Azure management; Require multifactor authentication; Switch it on
""",
    "52901099-235c-4971-b9d5-a33fca3a936e": """
vm High High Moderate AX: Management ports of virtual machines should open just in time
A port that is always open can be attacked at any time.
Open the virtual machine; Select Configuration; Enable just-in-time access
vm Medium Moderate Low AXI: Management ports of virtual machines should be closed to the internet
Ports for remote management that the internet can reach invite attempts to guess passwords.
Open the network security group; Find the rules for ports 22, 3389 and 5985; Set their action to Deny; Save
vm High Moderate Moderate XD: Virtual machines that face the internet should have a network security group
A network security group limits which traffic reaches the machine.
Create a network security group; Add rules for the traffic you need; Assign it to the machine's network interface
""",
    "61702b76-1fab-41f2-bcbc-50b7870dcf38": """
vm High Moderate Low RE: System updates should be installed on your machines
Updates of the operating system close security holes that are known to attackers.
Open Azure Update Manager; Select the machine; Install the missing updates
vm Medium High Low R: Machines should be restarted to finish updates
Some updates protect the machine only after a restart.
Choose a time at which a restart does no harm; Restart the machine
vm Low Low Low M: Machines should check for missing updates each day
Without periodic checks, missing updates are not reported.
Open Azure Update Manager; Select Update settings; Set periodic assessment to Enabled
scaleset High Moderate Moderate RE: System updates should be installed on scale sets
Each instance of the scale set needs the updates of its operating system.
Open the scale set; Select Upgrade policy; Enable automatic upgrades of the OS image
aks Medium Moderate Moderate RE: Kubernetes clusters should run a supported version
Versions out of support receive no security fixes.
Open the cluster; Select Cluster configuration; Upgrade to a supported version
""",
    "05daab2e-f074-4601-ac10-aadf5c9c50f6": """
vm Low Low Low XSAE: Vulnerabilities in software on machines should be fixed
The scanner found programs with known vulnerabilities on the machine.
Open the list of findings; Update or remove the programs named there
vm Medium Low Low M: Machines should have a vulnerability scanner
Without a scanner, vulnerable programs stay unnoticed.
Open the machine; Select Enable integrated vulnerability scanner; Apply
sqldb High Low Moderate XSA: Vulnerabilities of SQL databases should be fixed
A scan of the database found settings that put its data at risk.
Open the vulnerability assessment of the database; Sort findings by risk; Run the script of each or accept it
sqldb High Low Moderate XSA: Vulnerabilities of SQL databases should be fixed
A scan of the database found settings that put its data at risk.
Open the vulnerability assessment of the database; Sort findings by risk; Run the script of each or accept it
registry High Low Moderate RE: Vulnerable images in registries should be replaced
Containers that start from such an image have its vulnerabilities.
Open the findings of the registry; Build the image again from an updated base; Push it
container Medium Low Moderate RE: Containers should not run vulnerable images
A running container uses an image with known vulnerabilities.
Build the image again; Deploy it to the cluster
""",
    "99fc8df2-e0f5-40f8-9415-a7f7ca948b5a": """
vm Low Moderate Moderate IE: Linux machines should follow the security baseline
Settings of the operating system differ from the baseline.
Open the list of rules; Change each setting that fails
vm Low Moderate Moderate IE: Windows machines should follow the security baseline
Settings of the operating system differ from the baseline.
Open the list of rules; Change each setting that fails
vm Low Low Low E: Secure Boot should be enabled on machines
Secure Boot refuses boot loaders and drivers that nobody has signed.
Stop the machine; Enable Secure Boot; Start it again
scaleset Low Moderate Moderate IE: Scale sets should follow the security baseline
Settings of the instances differ from the baseline.
Open the list of rules; Change the model of the scale set; Upgrade the instances
aks Medium Low Moderate E: Containers should not run in privileged mode
A privileged container can take over its node.
Find the pod's specification; Remove the privileged flag; Deploy it again
aks Medium Low Moderate E: Containers should have a read-only root file system
An attacker can then add no programs to the container.
Set readOnlyRootFilesystem to true in the pod's specification; Deploy it again
sql Medium Low Low SI: SQL servers should have a vulnerability assessment
The assessment finds risky settings and tells how to change them.
Open the server; Select Microsoft Defender for SQL; Enable the assessment
web Low Low Low R: Web apps should use a supported runtime
Runtimes out of support receive no security fixes.
Open the app; Select Configuration; Choose a newer version of the runtime
""",
    "2d85f639-0bea-4a4a-b6c6-608952a1414a": """
subscription High Low Low AE: A subscription should have at most three owners
Each owner more is an account more that an attacker can use.
Open Access control of the subscription; Remove owners until three are left
subscription High Low Low M: A subscription should have more than one owner
With a single owner, nobody can help when that account is lost.
Open Access control of the subscription; Assign Owner to a second account
identity High Low Low AI: Blocked accounts should have no permissions
Accounts that nobody uses are a way in that nobody watches.
Open Access control; Remove the role assignments of the account
identity Medium Low Low AI: Guest accounts should have no write permissions
Guests are not covered by the policies of your directory.
Open Access control; Remove the guest's role assignments
role Medium Low Moderate E: Custom roles should not give the permissions of an owner
Roles of your own are hard to review; built-in ones are known.
Review who has the role; Assign built-in roles; Delete the custom role
storage Medium High Moderate XS: Storage accounts should refuse anonymous access
Anybody can read blobs that are public.
Open Configuration of the account; Set Allow Blob anonymous access to Disabled; Save
aks High Low Moderate E: Kubernetes services should use role-based access control
It limits what each user of the cluster may do.
Create a cluster with role-based access control; Move the workloads to it
""",
    "8fd574ec-43cf-426e-a439-a67cbaf2d564": """
vm High Low Moderate XS: Disks of virtual machines should be encrypted
Temporary disks and caches are not encrypted by default.
Open the machine; Select Disks; Enable encryption at host
sqldb Medium Low Low XS: Transparent data encryption should be on
It protects data, backups and logs at rest.
Open the database; Select Transparent data encryption; Set it to On
storage Low Low Moderate XS: Storage accounts should encrypt with your own key
With a key of your own you can stop all access to the data.
Create a key in a vault; Open Encryption of the account; Select the key
storage Low Low Moderate S: Storage accounts should encrypt their infrastructure
A second layer of encryption protects the data when the first fails.
Create an account with infrastructure encryption; Copy the data
keyvault Medium Low Low I: Key vaults should be protected against purging
Deleted keys can then be restored until their retention ends.
Open Properties of the vault; Enable purge protection; Save
""",
    "0e55495e-034f-4abc-8293-767229250176": """
web Medium Moderate Low XSI: Web apps should accept HTTPS only
HTTPS protects what users send from being read on its way.
Open the app; Select TLS/SSL settings; Set HTTPS Only to On
web High Low Low XS: Web apps should require the latest TLS
Older versions of TLS have known weaknesses.
Open the app; Select TLS/SSL settings; Choose the latest minimum version
web High Low Low XS: Web apps should accept encrypted FTP only
FTP without encryption shows passwords to the network.
Open the app; Select Configuration; Set FTP state to FTPS only
storage High Moderate Low XSI: Storage accounts should require secure transfer
Requests without encryption can be read and changed on their way.
Open Configuration of the account; Set Secure transfer required to Enabled; Save
redis High Low Low XS: Caches should accept encrypted connections only
Data in the cache can otherwise be read on its way.
Open the cache; Select Advanced settings; Set Non-TLS port to Disabled
sql Medium Low Low XS: MySQL servers should enforce encrypted connections
Connections without encryption can be read on their way.
Open Connection security of the server; Enforce SSL connections
sql Medium Low Low XS: PostgreSQL servers should enforce encrypted connections
Connections without encryption can be read on their way.
Open Connection security of the server; Enforce SSL connections
""",
    "f9d5432b-8f7b-45e9-b90c-e214a30f6a02": """
vm Medium Moderate Low X: IP forwarding should be off on machines
A machine that forwards traffic can let it pass around the firewall.
Open the network interface; Select IP configurations; Set IP forwarding to Disabled
vm High Moderate Moderate XD: Network security groups should follow the observed traffic
Rules allow more than the machine's traffic needs.
Open the suggested rules; Review them; Enforce
vm Low Moderate Low X: Machines that do not face the internet should have a network security group
It limits what other machines of the network can reach.
Create a network security group; Assign it to the network interface
subnet Low Moderate Moderate X: Subnets should have a network security group
It limits which traffic enters and leaves the subnet.
Create a network security group; Assign it to the subnet
storage Medium Moderate Moderate XS: Storage accounts should accept chosen networks only
An account that every network can reach depends on its keys alone.
Open Networking of the account; Select Enabled from selected networks; Add yours
keyvault Medium Moderate Moderate XS: Key vaults should have a firewall
Secrets should be reachable from known networks only.
Open Networking of the vault; Allow access from selected networks
sql Medium Moderate Moderate XS: SQL servers should not be reachable from the internet
A private endpoint keeps the traffic inside your network.
Open Networking of the server; Disable public network access
registry Medium Moderate Moderate X: Registries should accept chosen networks only
Images are code that runs in your network.
Open Networking of the registry; Select networks
aks High Moderate Low A: Kubernetes services should limit who reaches their API server
Only known addresses should reach the control plane.
Open Networking of the cluster; Set authorized IP ranges
""",
    "a000c66f-6da2-4f9d-826d-2364347d2588": """
vm High Low Moderate RI: Machines should allow only approved applications
A list of approved applications keeps malware from running.
Open adaptive application controls; Select the group of the machine; Review the list; Audit it
vm High Low Low RI: Lists of approved applications should be up to date
Programs run that the list does not know.
Open adaptive application controls; Add the programs or remove them
""",
    "a9909064-42b4-4d34-8143-275477afe18b": """
vnet Medium Low Moderate D: Virtual networks should have DDoS protection
Without a plan, an attack on a public address stops the application.
Create a DDoS protection plan; Open the network; Select the plan
vnet Low Low Moderate D: Application gateways should have a web application firewall
The firewall inspects requests before the application sees them.
Upgrade the gateway to the WAF tier; Assign a policy
ip Low Low Low D: Public addresses should write DDoS logs
Logs show what an attack looked like.
Open Diagnostic settings of the address; Send the logs to a workspace
""",
    "12136bd9-dc24-44f2-9587-7be3af6aac14": """
vm High Low Low R: Machines should have endpoint protection
It finds malware and stops it.
Select the machine; Install Microsoft Defender for Endpoint
vm Medium Low Low R: Problems of endpoint protection should be resolved
Protection is installed but does not work as it should.
Open the list of problems; Resolve each
vm Low Low Low M: Machines should report files that change
Changes of system files can be signs of an attack.
Enable file integrity monitoring in the plan for servers
scaleset High Low Low R: Scale sets should have endpoint protection
It finds malware on the instances and stops it.
Add the extension to the model of the scale set; Upgrade the instances
""",
    "27b24961-75ba-4fe4-8909-97286d5dd5ee": """
sql Low Low Low M: SQL servers should be audited
The audit log shows who read and changed data.
Open Auditing of the server; Set it to On; Choose where logs are stored
sql Low Low Low M: Audit logs of SQL servers should be kept for 90 days
Attacks are often noticed weeks later.
Open Auditing of the server; Set retention to 90 days or more
subscription Low Low Low M: The activity log should be kept for a year
It shows who changed resources of the subscription.
Open Activity log; Export it to a storage account; Set retention to 365 days
keyvault Low Low Low M: Key vaults should write resource logs
Logs show who used a key or a secret.
Open Diagnostic settings of the vault; Send AuditEvent to a workspace
keyvault Low Low Low I: Secrets in key vaults should expire
A secret that expires is useless to those who found it long ago.
Open the secret; Set its expiration date
web Medium Low Low M: Web apps should write resource logs
Logs help to find out what happened after an incident.
Open Diagnostic settings of the app; Send the logs to a workspace
aks Low Low Low M: Kubernetes services should write resource logs
Logs of the API server show who changed the cluster.
Open Diagnostic settings of the cluster; Send the logs to a workspace
vm Low Low Low M: Machines should have a monitoring agent
The agent sends events of the operating system.
Open the machine; Install Azure Monitor Agent; Assign a data collection rule
storage Low Low Low M: Storage accounts should log requests
Logs show who read and deleted data.
Open Diagnostic settings of the account; Send read, write and delete events to a workspace
vnet Low Low Low M: Virtual networks should write flow logs
Flow logs show which machines talked to each other.
Open Network Watcher; Create a flow log for the network
""",
    "4db8d6cf-075b-4149-a813-da09ca2ae120": """
subscription High Low Low M: The plan for servers should be enabled
It finds threats and missing protection on machines.
Open Environment settings; Select the subscription; Set Servers to On; Save
subscription High Low Low M: The plan for Key Vault should be enabled
It notices unusual use of vaults.
Open Environment settings; Select the subscription; Set Key Vault to On; Save
subscription High Low Low M: The plan for Resource Manager should be enabled
It notices unusual changes of resources.
Open Environment settings; Select the subscription; Set Resource Manager to On; Save
workspace Medium Low Low M: The plan for servers should be enabled on workspaces
Machines that report to the workspace are covered only then.
Open Environment settings; Select the workspace; Set Servers to On; Save
sql High Low Low XA: SQL servers should be covered by their plan
It notices injections and unusual access to databases.
Open the server; Select Microsoft Defender for Cloud; Enable the plan
storage High Low Low XR: Storage accounts should be covered by their plan
It notices malware and unusual access to data.
Open the account; Select Microsoft Defender for Cloud; Enable the plan
""",
    "76763537-9feb-42d3-b4f4-78c01117be80": """
vm Low Low Low M: Machines should use managed disks
Managed disks are encrypted, and access to them can be controlled.
Stop the machine; Select Disks; Migrate to managed disks
vm Low Low Low M: Machines should be backed up
A backup is the way back after ransomware.
Open the machine; Select Backup; Choose a vault and a policy
vm Medium Moderate Moderate A: Machines with Linux should require SSH keys
Keys cannot be guessed as passwords can.
Create a key pair; Install the public key; Disable sign-in by password
subscription Medium Low Low M: A subscription should have a contact for security alerts
Somebody must hear of an alert.
Open Environment settings; Select Email notifications; Enter an address
subscription Low Low Low M: Owners should receive alerts of high severity
Owners can act at once.
Open Environment settings; Select Email notifications; Notify owners about high severity
web Medium Low Low A: Web apps should use a managed identity
No password is stored in the app's configuration then.
Open Identity of the app; Set the system-assigned identity to On
web Low Low Low IA: Web apps should not accept requests from every origin
Other sites can otherwise act for a user who is signed in.
Open CORS of the app; Remove the *; Enter the sites that may ask
storage Low Low Low A: Storage accounts should refuse shared keys
Requests by Entra ID can be traced to a person; those by key cannot.
Open Configuration of the account; Set Allow storage account key access to Disabled
redis Medium Moderate Moderate X: Caches should lie in a virtual network
Only machines of the network reach the cache then.
Create a cache with a private endpoint; Move the data
aks Low Low Moderate E: Pods should not mount tokens that they do not need
A stolen token gives access to the cluster's API.
Set automountServiceAccountToken to false; Deploy again
sqldb Low Low Low S: Sensitive data in SQL databases should be classified
Classified columns are easier to watch.
Open Data discovery and classification of the database; Accept the suggestions
keyvault Low Low Low I: Keys in vaults should be rotated
An old key may be known to people who left.
Open the key; Set a rotation policy
""",
}
"""By the name of the control's definition, in the order of its keys."""

OF_NO_CONTROL = """
vm Low Low Low E: Machines should allow only approved extensions
An extension runs with the highest permissions.
Review the extensions of the machine; Remove those that you do not need
extension Low Low Low E: Extensions of machines should be updated by themselves
Old extensions have known vulnerabilities.
Open the extension; Enable automatic upgrade
storage Low Low Low X: Storage accounts should use a private link
Traffic stays in your network.
Create a private endpoint for the account
web Low Low Low M: Web apps should require client certificates
Only clients with a certificate reach the app.
Open the app; Select Configuration; Require client certificates
aws High Low Moderate AX: EC2 instances should use version 2 of the metadata service
Version 1 can be misused to read the instance's credentials.
Open the instance in AWS; Set HttpTokens to required
aws Medium Low Low M: EC2 instances should be managed by Systems Manager
Instances that it does not manage are patched by hand.
Attach the role for Systems Manager to the instance
"""

PREVIEWS = """
vm Low Low Low R: Machines should have TPM attestation (Preview)
Attestation proves that the machine started as it should.
Open the machine; Enable vTPM; Install the attestation extension
vm High Low Low RE: Programs without updates should be removed
Their makers fix no vulnerabilities any more.
Open the list of programs; Uninstall each
storage Medium Low Low XS: [Preview]: Storage accounts should forbid replication to other tenants
Data can leave your tenant by replication.
Open Object replication of the account; Disable cross-tenant replication
identity Medium Low Low E: Identities should have only permissions that they use
What is not used is an opportunity for attackers only.
Open Permissions Management; Remove unused permissions
"""

GENERATED = ("django", "openssl", "log4j-core", "requests", "curl")
"""The software of recommendations that were generated, one for each program to update; they have no metadata."""
