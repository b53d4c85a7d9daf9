{{/* config.yaml: what stands in values, and what follows from the place where the server runs. */}}
{{- define "authplane.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $driver := include "authplane.encryptionDriver" . -}}
{{- if eq $driver "aes_master" -}}
{{- $keys := dict "key_env" "AUTHPLANE_MASTER_KEY" -}}
{{- if include "authplane.hasOldMasterKey" . -}}
{{- $_ := set $keys "old_key_env" "AUTHPLANE_MASTER_OLD_KEY" -}}
{{- end -}}
{{- $config = mustMergeOverwrite (dict "data_encryption" (dict "aes_master" $keys)) $config -}}
{{- else if eq $driver "vault_transit_encrypt" -}}
{{- if eq (dig "data_encryption" "vault_transit_encrypt" "auth_method" "token" $config) "approle" -}}
{{- $approle := dict "role_id_env" "VAULT_ROLE_ID" "secret_id_env" "VAULT_SECRET_ID" -}}
{{- $config = mustMergeOverwrite (dict "data_encryption" (dict "vault_transit_encrypt" (dict "approle" $approle))) $config -}}
{{- else -}}
{{- $config = mustMergeOverwrite (dict "data_encryption" (dict "vault_transit_encrypt" (dict "token_env" "VAULT_TOKEN"))) $config -}}
{{- end -}}
{{- end -}}
{{- if include "authplane.isLocal" . -}}
{{- /* On a localhost issuer an address without a host is loopback, which nothing outside the pod reaches. */ -}}
{{- range $listener := list "server" "admin" -}}
{{- $section := index $config $listener -}}
{{- if hasPrefix ":" $section.address -}}
{{- $_ := set $section "address" (printf "0.0.0.0%s" $section.address) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* By which names the admin listener is called: those of its Service and its ingress. The pod's own address needs none: it is that of the connection. */}}
{{- define "authplane.adminHosts" -}}
{{- $service := include "authplane.fullname" . -}}
{{- $hosts := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.cluster.local" $service .Release.Namespace) -}}
{{- if .Values.adminIngress.enabled -}}
{{- range .Values.adminIngress.hosts -}}
{{- $hosts = append $hosts .host -}}
{{- end -}}
{{- end -}}
{{- concat $hosts .Values.adminAllowedHosts (dig "admin" "allowed_hosts" (list) .Values.config | default list) | uniq | join "," -}}
{{- end -}}
