package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/sandbox/threatconnect"
)

// authority is the sandbox's CA and its one leaf. The CA's key is forgotten
// when the leaf is signed, so that trusting the CA cannot be abused later.
type authority struct {
	cert *x509.Certificate
	leaf tls.Certificate
	file string
}

// validity is generous to both sides, for clients whose clock is moved in tests.
const validity = 10 * 365 * 24 * time.Hour

func newAuthority(now time.Time) (*authority, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Remeld sandbox CA", Organization: []string{"Remeld sandbox"}},
		NotBefore: now.Add(-validity), NotAfter: now.Add(validity),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	a := &authority{cert: cert}
	return a, a.makeLeaf(caKey)
}

func (a *authority) makeLeaf(caKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make server key: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: new(big.Int).Add(a.cert.SerialNumber, big.NewInt(1)), Subject: pkix.Name{CommonName: "Remeld sandbox"},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		DNSNames:    slices.Concat([]string{"localhost"}, loginHosts, defenderHosts, sentinelHosts, graphHosts, threatconnect.Hosts),
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &key.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("make server certificate: %w", err)
	}
	a.leaf = tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
	return nil
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// write puts ca.pem into dir, which is made if needed.
func (a *authority) write(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make directory for the CA certificate: %w", err)
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, a.pem(), 0o644); err != nil { //nolint:gosec // a certificate is public
		return fmt.Errorf("write CA certificate: %w", err)
	}
	a.file = file
	return nil
}
