package main

import "github.com/hipaa-operator/hipaa-operator/test/packets"

type seen = packets.Seen

// watch looks at the node's bridge.
func watch(needles ...string) (*packets.Capture, error) { return packets.Start("cni0", needles...) }
