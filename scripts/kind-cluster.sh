#!/usr/bin/env bash
# A cluster for `make e2e` in Docker: kind, Istio, Argo CD, the Prometheus operator, a Git server.
#
#   scripts/kind-cluster.sh up     makes it, and says with what variables `make e2e` finds it, one a line
#   scripts/kind-cluster.sh down   takes it away
#
# Needs docker, kind, kubectl, istioctl, jq, curl, openssl, envsubst. The cluster is called `models-e2e`; kubectl's own
# configuration is left alone.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

name=models-e2e
node=kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5
argocd=v3.6.1
prometheus_operator=v0.85.0
gitea=docker.gitea.com/gitea:1.27.3
model_server=docker.io/tensorflow/serving:2.20.0

work=$PWD/build/kind
export KUBECONFIG=$work/kubeconfig STORE=$work/models

say() { echo "$*" >&2; }

# answers URL: waits until it does.
answers() {
  curl --silent --show-error --fail --output /dev/null --max-time 10 --retry 60 --retry-delay 2 --retry-all-errors "$1"
}

# node_port NAMESPACE SERVICE PORT: HOST:PORT under which this machine reaches it.
node_port() {
  local address port
  address=$(kubectl get nodes --output jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
  port=$(kubectl get service "$2" --namespace "$1" --output json |
    jq --argjson port "$3" '.spec.ports[] | select(.port == $port) | .nodePort')
  echo "$address:$port"
}

cluster() {
  mkdir -p "$STORE"
  # Pods run as somebody else.
  chmod 755 build "$work" "$STORE"
  # shellcheck disable=SC2016 # the name is for envsubst
  envsubst '$STORE' <tests/cluster/kind/cluster.yaml |
    kind create cluster --name "$name" --image "$node" --config - --wait 3m
  docker exec "$name-control-plane" crictl pull "$model_server"
}

istio() {
  istioctl install --skip-confirmation --set profile=default \
    --set values.gateways.istio-ingressgateway.type=NodePort \
    --set values.global.proxy.resources.requests.cpu=20m
}

# Its account `promoter` has no rights but those that `promoter bootstrap` gives it.
argo_cd() {
  kubectl create namespace argocd
  kubectl apply --server-side --namespace argocd \
    --filename "https://raw.githubusercontent.com/argoproj/argo-cd/$argocd/manifests/install.yaml" >/dev/null
  kubectl patch configmap argocd-cmd-params-cm --namespace argocd --type merge \
    --patch '{"data": {"server.insecure": "true", "controller.sync.timeout.seconds": "300"}}'
  kubectl patch configmap argocd-cm --namespace argocd --type merge --patch '{"data": {"accounts.promoter": "apiKey"}}'
  kubectl patch service argocd-server --namespace argocd --patch '{"spec": {"type": "NodePort"}}'
  kubectl rollout restart deployment/argocd-server statefulset/argocd-application-controller --namespace argocd
  kubectl rollout status deployment/argocd-server --namespace argocd --timeout 5m
  kubectl rollout status deployment/argocd-repo-server --namespace argocd --timeout 5m
  kubectl rollout status statefulset/argocd-application-controller --namespace argocd --timeout 5m
}

# argo_cd_token URL: of the account `promoter`.
argo_cd_token() {
  local password session
  password=$(kubectl get secret argocd-initial-admin-secret --namespace argocd --output json |
    jq --raw-output '.data.password | @base64d')
  session=$(jq --null-input --arg password "$password" '{username: "admin", password: $password}' |
    curl --silent --show-error --fail --json @- "$1/api/v1/session" | jq --raw-output .token)
  curl --silent --show-error --fail --json '{"name": "e2e"}' --header "Authorization: Bearer $session" \
    "$1/api/v1/account/promoter/token" | jq --raw-output .token
}

prometheus() {
  kubectl apply --server-side --filename \
    "https://raw.githubusercontent.com/prometheus-operator/prometheus-operator/$prometheus_operator/bundle.yaml" >/dev/null
  kubectl rollout status deployment/prometheus-operator --namespace default --timeout 5m
  kubectl apply --filename tests/cluster/kind/prometheus.yaml
  kubectl wait prometheus/models --namespace monitoring --for condition=Available --timeout 5m
}

# Beside the node, where both pods and this machine reach it. Says HOST:PORT.
forge() {
  docker run --detach --name "$name-forge" --network kind --env GITEA__security__INSTALL_LOCK=true "$gitea" >/dev/null
  local address
  address=$(docker inspect "$name-forge" | jq --raw-output '.[0].NetworkSettings.Networks.kind.IPAddress')
  answers "http://$address:3000/api/healthz"
  echo "$address:3000"
}

# forge_token: of a user who may push.
forge_token() {
  local admin=(docker exec --user git "$name-forge" gitea admin user)
  "${admin[@]}" create --username promoter --password "$(openssl rand -hex 16)" --email promoter@example.com \
    --must-change-password=false >/dev/null
  "${admin[@]}" generate-access-token --username promoter --token-name e2e --scopes write:repository,write:user --raw
}

up() {
  local argocd_url forge_address token
  {
    say "a cluster of one node, in which $model_server is loaded"
    cluster
    say "Istio"
    istio
    say "Argo CD $argocd"
    argo_cd
    say "the Prometheus operator $prometheus_operator"
    prometheus
  } >&2
  say "a Git server"
  forge_address=$(forge)
  token=$(forge_token)
  curl --silent --show-error --fail --output /dev/null --header "Authorization: token $token" \
    --json '{"name": "e2e"}' "http://$forge_address/api/v1/user/repos"
  argocd_url=http://$(node_port argocd argocd-server 80)
  answers "$argocd_url/api/version"
  cat <<END
KUBECONFIG=$KUBECONFIG
ARGOCD_URL=$argocd_url
ARGOCD_TOKEN=$(argo_cd_token "$argocd_url")
PROMETHEUS_URL=http://$(node_port monitoring prometheus 9090)
E2E_REPOSITORY=http://$forge_address/promoter/e2e.git
E2E_REPOSITORY_TOKEN=$token
E2E_MODEL_SERVER_IMAGE=$model_server
E2E_STORE=$STORE
E2E_ROUTE_KIND=istio
E2E_GATEWAY_TARGET=$(node_port istio-system istio-ingressgateway 80)
END
}

down() {
  docker rm --force --volumes "$name-forge" >/dev/null 2>&1 || true
  kind delete cluster --name "$name"
}

case ${1-} in
  up | down) "$1" ;;
  *)
    echo "usage: scripts/kind-cluster.sh up|down" >&2
    exit 2
    ;;
esac
