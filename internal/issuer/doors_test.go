package issuer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
	clocktesting "k8s.io/utils/clock/testing"
)

// hall is doors whose arrivals come from the test, each from the address that it says.
type hall struct {
	*doors
	knocks   chan net.Conn
	accepted chan *guest
	ended    chan error
}

type knock struct {
	net.Conn
	from   net.Addr
	closed chan struct{}
}

func (k *knock) RemoteAddr() net.Addr { return k.from }

func (k *knock) Close() error {
	select {
	case <-k.closed:
		return net.ErrClosed
	default:
		close(k.closed)
		return nil
	}
}

func (h *hall) Accept() (net.Conn, error) {
	connection, more := <-h.knocks
	if !more {
		return nil, net.ErrClosed
	}
	return connection, nil
}

func (*hall) Close() error   { return nil }
func (*hall) Addr() net.Addr { return nil }

func openHall(t *testing.T, most, each, arrivals int) *hall {
	t.Helper()
	h := &hall{knocks: make(chan net.Conn), accepted: make(chan *guest, 10), ended: make(chan error, 1)}
	h.doors = newDoors(h, most, each, newLimits(clocktesting.NewFakePassiveClock(start), rate.Every(time.Hour), arrivals, 100))
	go func() {
		for {
			connection, err := h.doors.Accept()
			if err != nil {
				h.ended <- err
				return
			}
			g, is := connection.(*guest)
			if !is {
				h.ended <- errors.New("who is let in has no place")
				return
			}
			h.accepted <- g
		}
	}()
	t.Cleanup(func() {
		close(h.knocks)
		if err := <-h.ended; err == nil {
			t.Error("it goes on after its end")
		}
	})
	return h
}

func (h *hall) knock(address string) *knock {
	k := &knock{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address + ":1000")), closed: make(chan struct{})}
	h.knocks <- k
	return k
}

func (h *hall) let(t *testing.T, address string) (*knock, *guest) {
	t.Helper()
	k := h.knock(address)
	select {
	case g := <-h.accepted:
		return k, g
	case <-k.closed:
		t.Fatalf("%s is turned away", address)
	}
	return nil, nil
}

func (h *hall) turnAway(t *testing.T, address string) {
	t.Helper()
	k := h.knock(address)
	select {
	case <-h.accepted:
		t.Errorf("%s is let in", address)
	case <-k.closed:
	}
}

func isClosed(k *knock) bool {
	select {
	case <-k.closed:
		return true
	default:
		return false
	}
}

func TestAnAddressThatComesOftenTakesItsOwnPlaces(t *testing.T) {
	h := openHall(t, 10, 2, 100)
	first, _ := h.let(t, "10.0.0.1")
	other, _ := h.let(t, "10.0.0.2")
	second, heard := h.let(t, "10.0.0.1")
	mark(known(context.Background(), heard), true)
	third, _ := h.let(t, "10.0.0.1")
	if !isClosed(first) || isClosed(second) || isClosed(other) {
		t.Error("somebody else than its oldest gave way")
	}
	fourth, last := h.let(t, "10.0.0.1")
	if !isClosed(third) || isClosed(second) {
		t.Error("who was heard gave way to who came later")
	}
	mark(known(context.Background(), last), true)
	h.turnAway(t, "10.0.0.1")
	if isClosed(second) || isClosed(fourth) {
		t.Error("who was heard gave way")
	}
	mark(known(context.Background(), last), false)
	h.let(t, "10.0.0.1")
	if !isClosed(fourth) {
		t.Error("who was answered keeps its place")
	}
}

func TestWhoHasMostGivesWayWhereAllPlacesAreTaken(t *testing.T) {
	h := openHall(t, 4, 3, 100)
	lonely, _ := h.let(t, "10.0.0.2")
	var crowd []*knock
	for range 3 {
		k, _ := h.let(t, "10.0.0.1")
		crowd = append(crowd, k)
	}
	h.let(t, "10.0.0.3")
	if !isClosed(crowd[0]) || isClosed(crowd[1]) || isClosed(lonely) {
		t.Error("somebody else than the oldest of the crowd gave way")
	}
	h.let(t, "10.0.0.4")
	if !isClosed(crowd[1]) || isClosed(lonely) {
		t.Error("somebody else than the oldest of the crowd gave way")
	}
}

func TestWhereNobodyHasTwoPlacesOthersWait(t *testing.T) {
	h := openHall(t, 1, 1, 100)
	_, first := h.let(t, "10.0.0.1")
	waiting := h.knock("10.0.0.2")
	select {
	case <-h.accepted:
		t.Fatal("two are in at once")
	case <-waiting.closed:
		t.Fatal("who could wait is turned away")
	default:
	}
	// Closing twice gives one place back.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err == nil {
		t.Error("it closed twice")
	}
	<-h.accepted
	if h.count != 1 || len(h.inside) != 1 {
		t.Errorf("%d places of %d addresses are taken", h.count, len(h.inside))
	}
	last := h.knock("10.0.0.3")
	if err := h.doors.Close(); err != nil {
		t.Fatal(err)
	}
	<-last.closed
}

func TestAnAddressThatComesTooOftenIsTurnedAwayAtTheDoor(t *testing.T) {
	h := openHall(t, 10, 10, 2)
	h.let(t, "10.0.0.1")
	h.let(t, "10.0.0.1")
	h.turnAway(t, "10.0.0.1")
	h.let(t, "10.0.0.2")
}
