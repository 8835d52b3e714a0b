package node_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hipaa-operator/hipaa-operator/test/packets"
)

const bridge = "cni0"

// capture looks at a link of the node until its spec ends.
type capture struct{ *packets.Capture }

// capturing starts to look for needles on the bridge of all pods.
func capturing(needles ...string) capture {
	GinkgoHelper()
	return capturingAt(bridge, needles...)
}

// capturingAt starts to look for needles at some link.
func capturingAt(link string, needles ...string) capture {
	GinkgoHelper()
	c, err := packets.Start(link, needles...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(c.Close()).To(Succeed()) })
	return capture{c}
}

// sees is what was seen until now.
func (c capture) sees() packets.Seen {
	GinkgoHelper()
	seen, err := c.Seen()
	Expect(err).NotTo(HaveOccurred())
	return seen
}
