{{/* Which Secret holds what. Every function gives the name of a Secret; keys are the same everywhere, but for those that values name. */}}

{{- define "authplane.ownSecret" -}}
{{ include "authplane.fullname" . }}-secrets
{{- end -}}

{{/* Connection strings that were given in values. Apart from the generated secrets, since these follow the values. */}}
{{- define "authplane.connectionsSecret" -}}
{{ include "authplane.fullname" . }}-connections
{{- end -}}

{{- define "authplane.sessionSecretName" -}}
{{- if and .Values.secrets.existingSecret (not .Values.externalSecrets.enabled) -}}
{{ .Values.secrets.existingSecret }}
{{- else -}}
{{ include "authplane.ownSecret" . }}
{{- end -}}
{{- end -}}

{{- define "authplane.masterKeySecretName" -}}
{{- $external := and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "aes-master-key") -}}
{{- if $external -}}
{{ include "authplane.ownSecret" . }}
{{- else -}}
{{ .Values.secrets.dataEncryption.existingSecret | default (include "authplane.sessionSecretName" .) }}
{{- end -}}
{{- end -}}

{{- define "authplane.hasOldMasterKey" -}}
{{- $external := and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "aes-master-old-key") -}}
{{- if or $external .Values.secrets.dataEncryption.aesMasterOldKey .Values.secrets.dataEncryption.existingSecretHasOldKey -}}true{{- end -}}
{{- end -}}

{{- define "authplane.vaultSigningSecretName" -}}
{{ .Values.vault.signing.existingSecret | default .Values.vault.existingSecret | default (include "authplane.ownSecret" .) }}
{{- end -}}

{{- define "authplane.hasPepper" -}}
{{- $external := and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "client-secret-pepper") -}}
{{- if or $external .Values.secrets.clientSecretPepper -}}true{{- end -}}
{{- end -}}

{{/* Whether the chart itself writes the connection string: only then the migration needs a copy that exists before the release does. */}}
{{- define "authplane.writesDsn" -}}
{{- $external := and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "dsn") -}}
{{- if not (or $external .Values.externalDatabase.existingSecret .Values.externalDatabase.existingPasswordSecret) -}}true{{- end -}}
{{- end -}}

{{- define "authplane.writesRedisUrl" -}}
{{- $external := and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "redis-url") -}}
{{- if and .Values.externalRedis.url (not $external) (not .Values.externalRedis.existingSecret) -}}true{{- end -}}
{{- end -}}

{{- define "authplane.dsn" -}}
{{- with .Values.externalDatabase -}}
{{- $who := .user | urlquery | replace "+" "%20" -}}
{{- if and .password (not .existingPasswordSecret) -}}
{{- $who = printf "%s:%s" $who (.password | urlquery | replace "+" "%20") -}}
{{- end -}}
{{- $hosts := list -}}
{{- range $host := splitList "," .host -}}
{{- $hosts = append $hosts (printf "%s:%v" (trim $host) $.Values.externalDatabase.port) -}}
{{- end -}}
{{- printf "postgres://%s@%s/%s?sslmode=%s" $who (join "," $hosts) (.database | urlquery) .sslmode -}}
{{- end -}}
{{- end -}}

{{/* The variables that lead to the database. @param .secret where a connection string lies that the chart wrote */}}
{{- define "authplane.databaseEnv" -}}
{{- $values := .root.Values -}}
{{- $database := $values.externalDatabase -}}
- name: AUTHPLANE_STORAGE_POSTGRES_DSN
{{- if and $values.externalSecrets.enabled (hasKey $values.externalSecrets.data "dsn") }}
  valueFrom:
    secretKeyRef:
      name: {{ include "authplane.ownSecret" .root }}
      key: dsn
{{- else if $database.existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ $database.existingSecret }}
      key: {{ $database.existingSecretKey }}
{{- else if $database.existingPasswordSecret }}
  value: {{ include "authplane.dsn" .root | quote }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $database.existingPasswordSecret }}
      key: {{ $database.existingPasswordSecretKey }}
{{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: dsn
{{- end }}
{{- end -}}

{{/* Where a password of Sentinel or Cluster lies; empty where there is none. @param .root  @param .key  @param .given  @param .has */}}
{{- define "authplane.redisPasswordSecret" -}}
{{- $values := .root.Values -}}
{{- if and $values.externalSecrets.enabled (hasKey $values.externalSecrets.data .key) -}}
{{ include "authplane.ownSecret" .root }}
{{- else if and $values.externalRedis.existingPasswordSecret .has -}}
{{ $values.externalRedis.existingPasswordSecret }}
{{- else if .given -}}
{{ include "authplane.connectionsSecret" .root }}
{{- end -}}
{{- end -}}

{{/* A variable from a key of a Secret. */}}
{{- define "authplane.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}
