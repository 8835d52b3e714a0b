package inbound

import "net"

// Take serves a connection that was captured on its way to a port: the application's, or
// the one at which proxies listen for it elsewhere. Who means another is refused.
func (s *Server) Take(conn net.Conn, number int) {
	if p := s.at(number); p != nil {
		p.door.Take(conn)
		return
	}
	s.Metrics.refused(reasonUndeclared)
	_ = conn.Close() // nobody serves it
}

// at is the port that stands for a number, nil where none does.
func (s *Server) at(number int) *port {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained {
		return nil
	}
	if p := s.ports[number]; p != nil {
		return p
	}
	for _, p := range s.ports {
		if p.rules.Load().in.Forward == number {
			return p
		}
	}
	return nil
}
