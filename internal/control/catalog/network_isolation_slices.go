package catalog

import (
	"fmt"
	"net/netip"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// checkSlice judges an EndpointSlice that people wrote: it sends the callers of a
// Service to addresses that no selector chose.
func checkSlice(s *control.Subject) []control.Finding {
	declared := declaredBlocks(s)
	undeclared, first := 0, ""
	for i, endpoint := range s.Slice.Endpoints {
		for j, text := range endpoint.Addresses {
			if isDeclared(declared, text) {
				continue
			}
			if undeclared++; undeclared == 1 {
				first = fmt.Sprintf("endpoints[%d].addresses[%d]", i, j)
			}
		}
	}
	if undeclared == 0 {
		return nil
	}
	return []control.Finding{control.Failed(first, "is written by hand and declared by no PHIWorkload (%d of such addresses): callers of Service %q are sent there",
		undeclared, s.Slice.Labels[discoveryv1.LabelServiceName]).
		But("give the Service a selector, or declare the addresses as ipBlock in egress.to of the PHIWorkload that calls them")}
}

// declaredBlocks are the ranges that workloads of the namespace may call.
func declaredBlocks(s *control.Subject) []reach.Block {
	var blocks []reach.Block
	for _, w := range judgedWorkloads(s) {
		blocks = append(blocks, flows.Blocks(s, w)...)
	}
	return blocks
}

func isDeclared(blocks []reach.Block, text string) bool {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(blocks, func(b reach.Block) bool {
		outside := func(hole netip.Prefix) bool { return hole.Contains(address) }
		return b.CIDR.Contains(address) && !slices.ContainsFunc(b.Except, outside)
	})
}
