package prober

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Versions of TLS as on the wire.
const (
	version10 = 0x0301
	version11 = 0x0302
	version12 = 0x0303
)

// Records and messages of TLS (RFC 5246, sections 6.2.1, 7.2 and 7.4).
const (
	recordAlert     = 21
	recordHandshake = 22

	alertWarning     = 1
	alertCloseNotify = 0

	messageClientHello = 1
	messageServerHello = 2

	// maxRecord is the most that a record may hold.
	maxRecord = 1<<14 + 1<<11
	// maxWarnings is how many warnings may come before an answer.
	maxWarnings = 4
)

// oldSuites are the cipher suites that servers below TLS 1.2 know, the common ones first.
var oldSuites = []uint16{
	0xc014, 0xc013, 0xc00a, 0xc009, 0x0035, 0x002f, 0x0039, 0x0033, 0xc012, 0xc008, 0x000a, 0x0016, 0x0088, 0x0084, 0x0045, 0x0041, 0xc011, 0xc007, 0x0005, 0x0004,
	0x00ff, // no suite: secure renegotiation is understood (RFC 5746)
}

// greeting is a ClientHello that offers one version below 1.2 at most. It is written by
// hand because the module of validated cryptography that the operator is built with
// speaks no such version, and nothing here needs a key: who answers has accepted.
func greeting(version uint16, host string, random [32]byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, random[:]...)
	body = append(body, 0) // no session
	var suites []byte
	for _, suite := range oldSuites {
		suites = binary.BigEndian.AppendUint16(suites, suite)
	}
	body = appendVector16(body, suites)
	body = append(body, 1, 0) // no compression
	body = appendVector16(body, extensions(host))
	// The length has three bytes, of which the first is zero: no greeting is so long.
	message := appendVector16([]byte{messageClientHello, 0}, body)
	record := binary.BigEndian.AppendUint16([]byte{recordHandshake}, version10)
	return appendVector16(record, message)
}

// extensions name the host, and the curves and point formats that everybody knows.
func extensions(host string) []byte {
	var list []byte
	if host != "" {
		name := appendVector16([]byte{0}, []byte(host))
		list = appendVector16(binary.BigEndian.AppendUint16(list, 0), appendVector16(nil, name))
	}
	list = appendVector16(binary.BigEndian.AppendUint16(list, 10), appendVector16(nil, []byte{0, 23, 0, 24, 0, 25, 0, 29}))
	return appendVector16(binary.BigEndian.AppendUint16(list, 11), []byte{1, 0})
}

func appendVector16(to, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(data))), data...) //nolint:gosec // host names have 253 bytes at most
}

// errNoTLS means that what was answered is no TLS, or none that is known here.
var errNoTLS = errors.New("the answer is no TLS")

// readAnswer reads what a server says to a greeting: the version that it takes, or zero
// where it refuses by an alert. An error is of the connection, or errNoTLS.
func readAnswer(from io.Reader) (uint16, error) {
	for range maxWarnings {
		var header [5]byte
		if _, err := io.ReadFull(from, header[:]); err != nil {
			return 0, fmt.Errorf("reading a record: %w", err)
		}
		size := int(binary.BigEndian.Uint16(header[3:]))
		if header[1] != 3 || size == 0 || size > maxRecord {
			return 0, errNoTLS
		}
		switch header[0] {
		case recordHandshake:
			return readServerHello(from, size)
		case recordAlert:
			var alert [2]byte
			if size != len(alert) {
				return 0, errNoTLS
			}
			if _, err := io.ReadFull(from, alert[:]); err != nil {
				return 0, fmt.Errorf("reading an alert: %w", err)
			}
			if alert[0] != alertWarning || alert[1] == alertCloseNotify {
				return 0, nil
			}
		default:
			return 0, errNoTLS
		}
	}
	return 0, errNoTLS
}

// readServerHello reads the beginning of a ServerHello; the rest does not matter.
func readServerHello(from io.Reader, size int) (uint16, error) {
	var message [6]byte
	if size < len(message) {
		return 0, errNoTLS
	}
	if _, err := io.ReadFull(from, message[:]); err != nil {
		return 0, fmt.Errorf("reading a message: %w", err)
	}
	version := binary.BigEndian.Uint16(message[4:])
	if message[0] != messageServerHello || version>>8 != 3 {
		return 0, errNoTLS
	}
	return version, nil
}
