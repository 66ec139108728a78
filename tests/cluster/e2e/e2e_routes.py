"""How a model's routes divide its requests: in Istio's words, and in the Gateway API's."""

from __future__ import annotations

from dataclasses import dataclass

GATEWAY_API, ISTIO = "gateway-api", "istio"


@dataclass(frozen=True, slots=True)
class RouteKind:
    """A kind of object that has a weight for each Service. Its rules are `rules`, their Services `backends`."""

    kind: str
    group: str
    plural: str
    rules: str
    backends: str

    def rules_of(self, route):
        return route["spec"][self.rules]

    def split(self, rule):
        """Weights of one rule, by Service."""
        return {self._service(backend): backend.get("weight", 1) for backend in rule[self.backends]}

    def splits(self, route):
        """Weights by Service, by the rule's place among the others; no rule here is for some requests only."""
        return {f"{self.kind} {index}": self.split(rule) for index, rule in enumerate(self.rules_of(route))}

    def set_weights(self, route, weight):
        """Give every Service of every rule the same."""
        for rule in self.rules_of(route):
            for backend in rule[self.backends]:
                backend["weight"] = weight

    def _service(self, backend):
        # Istio's destinations name a Service of the same namespace by its short name.
        return backend["destination"]["host"] if "destination" in backend else backend["name"]


_GATEWAY_GROUP = "gateway.networking.k8s.io"

# By `route.kind` of the chart; the first one carries REST.
ROUTES = {
    GATEWAY_API: (
        RouteKind("HTTPRoute", _GATEWAY_GROUP, "httproutes", "rules", "backendRefs"),
        RouteKind("GRPCRoute", _GATEWAY_GROUP, "grpcroutes", "rules", "backendRefs"),
    ),
    ISTIO: (RouteKind("VirtualService", "networking.istio.io", "virtualservices", "http", "route"),),
}
