package node_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hipaa-operator/hipaa-operator/test/packets"
)

const bridge = "cni0"

// capture looks at the node's bridge until its spec ends.
type capture struct{ *packets.Capture }

// capturing starts to look for needles.
func capturing(needles ...string) capture {
	GinkgoHelper()
	c, err := packets.Start(bridge, needles...)
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
