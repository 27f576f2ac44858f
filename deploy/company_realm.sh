#!/usr/bin/env bash
# Play a company with an identity provider of its own: a realm "<tenant>-company" in the development stack's Keycloak, with
# the employee ann@corp.example. Prints the body for POST /admin/oauth/configure. Safe to run again.
#
#   ./deploy/company_realm.sh TENANT-IDENTIFIER
set -euo pipefail

tenant=${1:?usage: company_realm.sh TENANT-IDENTIFIER}
env_file=${BUDAPP_ENV_FILE:-$(dirname -- "${BASH_SOURCE[0]}")/../.env}

value() { sed -n "s/^$1=//p" "$env_file"; }

keycloak="http://127.0.0.1:$(value KEYCLOAK_PORT)"
realm="$tenant-company"
password=Company-Horse-1
secret=only-for-development

token=$(curl -sS --fail-with-body "$keycloak/realms/master/protocol/openid-connect/token" \
  -d grant_type=password -d client_id=admin-cli \
  --data-urlencode "username=$(value KEYCLOAK_ADMIN_USERNAME)" \
  --data-urlencode "password=$(value KEYCLOAK_ADMIN_PASSWORD)" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

create() {  # PATH JSON; what is there already is left as it is
  local status
  status=$(curl -sS -o /dev/null -w '%{http_code}' "$keycloak/admin/realms$1" \
    -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$2")
  case $status in
    201 | 409) ;;
    *) echo "Keycloak answered $status to $1" >&2; exit 1 ;;
  esac
}

create "" "{\"realm\": \"$realm\", \"enabled\": true}"
create "/$realm/clients" "{\"clientId\": \"platform\", \"secret\": \"$secret\", \"publicClient\": false,
  \"standardFlowEnabled\": true, \"redirectUris\": [\"$keycloak/realms/$tenant/broker/oidc/endpoint\"]}"
create "/$realm/users" "{\"username\": \"ann@corp.example\", \"email\": \"ann@corp.example\", \"emailVerified\": true,
  \"enabled\": true, \"firstName\": \"Ann\", \"lastName\": \"Other\",
  \"credentials\": [{\"type\": \"password\", \"value\": \"$password\", \"temporary\": false}]}"

echo "At the company: ann@corp.example, $password" >&2
issuer="$keycloak/realms/$realm"
cat <<JSON
{"provider": "oidc", "clientId": "platform", "clientSecret": "$secret",
 "allowedDomains": ["corp.example"], "autoCreateUsers": true,
 "configData": {"issuer": "$issuer", "authorizationUrl": "$issuer/protocol/openid-connect/auth",
  "tokenUrl": "$issuer/protocol/openid-connect/token", "jwksUrl": "$issuer/protocol/openid-connect/certs",
  "displayName": "The company", "defaultUserType": "admin", "defaultRole": "developer"}}
JSON
