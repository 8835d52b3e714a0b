package canary

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/kms/pkg/service"
)

// plugin is a KMS plugin with a key of its own, which ends with the spec: what wraps
// the API server's keys is AES-GCM, as behind many a real one.
type plugin struct{ sealer cipher.AEAD }

// keyID is the name of the only key.
const keyID = "key-1"

// provider starts a plugin, and is the provider of an encryption configuration that an
// API server asks it by.
func provider() string {
	GinkgoHelper()
	secret := make([]byte, 32)
	_, err := rand.Read(secret)
	Expect(err).NotTo(HaveOccurred())
	block, err := aes.NewCipher(secret)
	Expect(err).NotTo(HaveOccurred())
	sealer, err := cipher.NewGCM(block)
	Expect(err).NotTo(HaveOccurred())
	socket := filepath.Join(GinkgoT().TempDir(), "kms.sock")
	server := service.NewGRPCService(socket, patient, &plugin{sealer})
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	DeferCleanup(func() {
		server.Shutdown()
		Eventually(ended).Should(Receive())
	})
	return fmt.Sprintf("{kms: {apiVersion: v2, name: own, timeout: %s, endpoint: 'unix://%s'}}", 10*time.Second, socket)
}

// Status names the key.
func (p *plugin) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: keyID}, nil
}

// Encrypt seals a key of the API server's.
func (p *plugin) Encrypt(_ context.Context, _ string, data []byte) (*service.EncryptResponse, error) {
	nonce := make([]byte, p.sealer.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return &service.EncryptResponse{Ciphertext: p.sealer.Seal(nonce, nonce, data, nil), KeyID: keyID}, nil
}

// Decrypt opens what Encrypt sealed.
func (p *plugin) Decrypt(_ context.Context, _ string, request *service.DecryptRequest) ([]byte, error) {
	size := p.sealer.NonceSize()
	if len(request.Ciphertext) < size {
		return nil, fmt.Errorf("opening a key: %d bytes are too few", len(request.Ciphertext))
	}
	return p.sealer.Open(nil, request.Ciphertext[:size], request.Ciphertext[size:], nil)
}

var _ = Describe("Secrets under a key of a KMS", func() {
	It("are seen to be, by an API server that asks a plugin", func() {
		c := start("[" + provider() + ", {identity: {}}]")
		canary := c.canary(c.config, nil)
		canary.turn(GinkgoT().Context(), nil)
		Expect(canary.Last()).To(HaveValue(And(HaveField("Providers", []string{"kms v2"}), HaveField("Servers", 1), HaveField("Problem", ""))))
	})
})
