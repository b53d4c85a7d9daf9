{{/* Values that can be spelled and cannot work. Each is refused here, with what to do, rather than by a pod that does not start. */}}
{{- define "authplane.guards" -}}
{{- $values := .Values -}}
{{- $config := .Values.config -}}
{{- if not .Values.existingConfigSecret -}}
  {{- if not $config.server.issuer -}}
    {{- fail "\n\nconfig.server.issuer is required: the URL under which clients reach this server, such as https://auth.example.com\n" -}}
  {{- end -}}
  {{- if not (or (hasPrefix "https://" $config.server.issuer) (include "authplane.isLocal" .)) -}}
    {{- fail (printf "\n\nconfig.server.issuer must be https unless it is on localhost, not %s\n" $config.server.issuer) -}}
  {{- end -}}
  {{- range $path := list "session.secret" "admin.api_key" "storage.postgres.dsn" "redis.url" "redis.password" "redis.sentinel_password" "client_secret_pepper" "signing.vault_transit.token" "signing.vault_transit.approle.role_id" "signing.vault_transit.approle.secret_id" -}}
    {{- $found := $config -}}
    {{- range $key := splitList "." $path -}}
      {{- $found = ternary (get (ternary $found dict (kindIs "map" $found)) $key) "" (kindIs "map" $found) -}}
    {{- end -}}
    {{- if $found -}}
      {{- $instead := get (dict "session.secret" "secrets.sessionSecret or secrets.existingSecret" "admin.api_key" "secrets.adminApiKey or secrets.existingSecret" "storage.postgres.dsn" "externalDatabase" "redis.url" "externalRedis" "redis.password" "externalRedis.password" "redis.sentinel_password" "externalRedis.sentinelPassword" "client_secret_pepper" "secrets.clientSecretPepper") $path | default "vault.signing.existingSecret or vault.existingSecret" -}}
      {{- fail (printf "\n\nconfig.%s is a secret and not set in config: use %s\n" $path $instead) -}}
    {{- end -}}
  {{- end -}}
  {{- if eq (dig "storage" "driver" "postgres" $config) "embedded" -}}
    {{- fail "\n\nconfig.storage.driver embedded is for the first hour on one machine, and its PostgreSQL is not in the image: use postgres, with externalDatabase\n" -}}
  {{- end -}}
  {{- if and (eq (dig "signing" "key_store" "keyfile" $config) "keyfile") (not .Values.persistence.enabled) -}}
    {{- fail "\n\nconfig.signing.key_store keyfile loses its keys with the pod: use postgres_key or vault_transit, or set persistence.enabled\n" -}}
  {{- end -}}
  {{- if and (eq (dig "signing" "key_store" "keyfile" $config) "keyfile") (or (gt (include "authplane.mostReplicas" . | int) 1) .Values.worker.enabled) -}}
    {{- fail "\n\nconfig.signing.key_store keyfile is for one pod: use postgres_key or vault_transit for several replicas or a worker\n" -}}
  {{- end -}}
  {{- if and (eq (dig "signing" "key_store" "keyfile" $config) "postgres_key") (not (include "authplane.encryptionDriver" .)) -}}
    {{- fail "\n\nconfig.signing.key_store postgres_key needs config.data_encryption.driver: aes_master or vault_transit_encrypt\n" -}}
  {{- end -}}
  {{- if and (eq (include "authplane.encryptionDriver" .) "vault_transit_encrypt") (not .Values.vault.existingSecret) (not (and .Values.externalSecrets.enabled (or (hasKey .Values.externalSecrets.data "vault-token") (hasKey .Values.externalSecrets.data "vault-approle-secret-id")))) -}}
    {{- fail "\n\nconfig.data_encryption.driver vault_transit_encrypt needs vault.existingSecret: a Secret with vault-token, or vault-approle-role-id and vault-approle-secret-id\n" -}}
  {{- end -}}
  {{- if and (eq (dig "signing" "key_store" "keyfile" $config) "vault_transit") (not (dig "signing" "vault_transit" "address" "" $config)) -}}
    {{- fail "\n\nconfig.signing.key_store vault_transit needs config.signing.vault_transit.address, such as https://vault.vault.svc:8200\n" -}}
  {{- end -}}
  {{- if and (include "authplane.vaultSigns" .) (not .Values.vault.signing.existingSecret) (not .Values.vault.existingSecret) -}}
    {{- $vaultKeys := ternary (list "vault-approle-role-id" "vault-approle-secret-id") (list "vault-token") (eq (include "authplane.vaultSigningAuthMethod" .) "approle") -}}
    {{- range $vaultKeys -}}
      {{- if not (and $.Values.externalSecrets.enabled (hasKey $.Values.externalSecrets.data .)) -}}
        {{- fail (printf "\n\nconfig.signing.vault_transit needs vault.signing.existingSecret (or vault.existingSecret): a Secret with %s\n" (join " and " $vaultKeys)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- $needed := add .Values.preStopSleepSeconds (include "authplane.seconds" ($config.server.shutdown_wait | default "10s") | int) -}}
  {{- if le (.Values.terminationGracePeriodSeconds | int64) $needed -}}
    {{- fail (printf "\n\nterminationGracePeriodSeconds must be more than preStopSleepSeconds and config.server.shutdown_wait together (%d s), or requests in flight are cut off\n" $needed) -}}
  {{- end -}}
  {{- if gt (.Values.externalSecrets.data | len) 0 -}}
    {{- if and .Values.externalSecrets.enabled (eq (include "authplane.encryptionDriver" .) "aes_master") (not (hasKey .Values.externalSecrets.data "aes-master-key")) (not .Values.secrets.dataEncryption.existingSecret) -}}
      {{- fail "\n\nexternalSecrets.data needs aes-master-key while config.data_encryption.driver is aes_master (or set secrets.dataEncryption.existingSecret)\n" -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and (gt (include "authplane.mostReplicas" . | int) 1) (not (include "authplane.hasRedis" .)) -}}
  {{- fail (printf "\n\n%s replicas need Redis, which counts limits and used proofs for all of them: set externalRedis.url, externalRedis.existingSecret, config.redis.sentinels or config.redis.cluster_nodes\n" (include "authplane.mostReplicas" .)) -}}
{{- end -}}
{{- if and (include "authplane.writesDsn" .) (not .Values.externalDatabase.host) -}}
  {{- fail "\n\nexternalDatabase.host is required (or externalDatabase.existingSecret with a whole connection string): the chart brings no PostgreSQL\n" -}}
{{- end -}}
{{- if and .Values.externalDatabase.existingPasswordSecret (not .Values.externalDatabase.host) -}}
  {{- fail "\n\nexternalDatabase.host is required beside externalDatabase.existingPasswordSecret\n" -}}
{{- end -}}
{{- if and .Values.externalSecrets.enabled (not .Values.externalSecrets.secretStoreRef.name) -}}
  {{- fail "\n\nexternalSecrets.secretStoreRef.name is required: the store that holds the secrets\n" -}}
{{- end -}}
{{- if .Values.externalSecrets.enabled -}}
  {{- range list "session-secret" "admin-api-key" -}}
    {{- if not (hasKey $values.externalSecrets.data .) -}}
      {{- fail (printf "\n\nexternalSecrets.data needs %s: { key: …, property: … }\n" .) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if not (include "authplane.adminEnabled" .) -}}
  {{- range $what, $on := dict "worker.enabled (a worker answers probes there alone)" .Values.worker.enabled "adminIngress.enabled" .Values.adminIngress.enabled "serviceMonitor.enabled (metrics are there)" .Values.serviceMonitor.enabled -}}
    {{- if $on -}}
      {{- fail (printf "\n\n%s needs the admin listener: config.admin.enabled must not be false\n" $what) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
  {{- fail "\n\nhttpRoute.parentRefs is required: the Gateway that the route belongs to\n" -}}
{{- end -}}
{{- range $name := list "ingress" "adminIngress" -}}
  {{- $ingress := index $values $name -}}
  {{- if and $ingress.enabled (not $ingress.hosts) -}}
    {{- fail (printf "\n\n%s.hosts is required while %s.enabled is true\n" $name $name) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
