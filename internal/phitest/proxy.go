package phitest

import (
	"net/netip"

	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const proxyImage = "registry.example.org/phi-proxy:1.0.0"

// ProxyImages are those of Proxy.
func ProxyImages() []string { return []string{proxyImage} }

// Proxy is the one that an operator of tests gives to pods.
func Proxy() *control.Proxy {
	return &control.Proxy{
		Image: proxyImage, User: ptr.To[int64](15443),
		Issuer: "hipaa-operator-issuer.hipaa-operator-system.svc.cluster.local", IssuerNamespace: "hipaa-operator-system",
		Roots:       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		TrustDomain: "cluster.local", ClusterDomain: "cluster.local",
		NameServers: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53")},
	}
}
