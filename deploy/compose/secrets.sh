#!/bin/sh
# Makes the secrets of docker-compose.yml under deploy/compose/secrets, once. What is there stays: run it as often as you like.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

# Containers have users of their own, and read these files by what their mode lets everybody; the folder is for its owner alone.
once() {
  [ -s "secrets/$1" ] || { cat >"secrets/.$1" && chmod 644 "secrets/.$1" && mv "secrets/.$1" "secrets/$1"; }
}
hex() { openssl rand -hex "$1"; }

hex 24 | tr -d '\n' | once postgres-password
hex 24 | tr -d '\n' | once grafana-password
hex 24 | sed 's/^/BAO_DEV_ROOT_TOKEN_ID=/; p; s/^BAO_DEV_ROOT_TOKEN_ID=/BAO_TOKEN=/' | once openbao.env
printf 'requirepass %s\nmaxmemory-policy noeviction\nsave ""\n' "$(hex 24)" | once redis.conf
once authplane.env <<END
AUTHPLANE_STORAGE_POSTGRES_DSN=postgres://authplane:$(cat secrets/postgres-password)@postgres:5432/authplane?sslmode=disable
AUTHPLANE_REDIS_URL=redis://:$(sed -n 's/^requirepass //p' secrets/redis.conf)@redis:6379
AUTHPLANE_SESSION_SECRET=$(openssl rand -base64 48 | tr -d '\n')
AUTHPLANE_ADMIN_API_KEY=$(openssl rand -base64 32 | tr -d '\n')
MASTER_KEY=$(hex 32)
VAULT_TOKEN=$(sed -n 's/^BAO_TOKEN=//p' secrets/openbao.env)
END
echo "The secrets are in $(pwd)/secrets; the operator's key is AUTHPLANE_ADMIN_API_KEY in authplane.env."
