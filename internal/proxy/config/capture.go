package config

// Where the rules of a pod whose traffic is redirected send it. Nobody outside the pod
// reaches these ports: whoever calls them is redirected as well, with the port that was
// called.
const (
	// CaptureInbound takes what comes, and CaptureOutbound what the application opens.
	CaptureInbound  = 15006
	CaptureOutbound = 15001
)
