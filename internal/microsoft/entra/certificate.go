package entra

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/remeld/remeld/sdk"
)

// keyPair is what a certificate file holds: the leaf first, then its chain.
type keyPair struct {
	certs []*x509.Certificate
	key   crypto.PrivateKey
}

// readKeyPair reads the connection's certificate file. Each way it can be wrong has
// one message; none repeats what is in the file.
func (c *Connection) readKeyPair() (keyPair, error) {
	fail := func(what string) (keyPair, error) {
		return keyPair{}, &sdk.Error{Failure: sdk.Unauthorized, Message: fmt.Sprintf("certificate %s: %s", c.Certificate, what)}
	}
	data, err := os.ReadFile(c.Certificate)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return fail("cannot be read (" + path.Err.Error() + "); check the path and the rights of the user remeld runs as")
	case err != nil:
		return fail("cannot be read")
	case bytes.Contains(data, []byte("ENCRYPTED")):
		return fail("its private key is encrypted, which PEM files cannot be read with; decrypt it (openssl pkey -in KEY -out KEY) and protect the file by its rights")
	}
	certs, key, err := parse(data, c.CertificatePassword.Reveal())
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && c.CertificatePassword == "":
		return fail("the PFX file has a password; set certificate_password: ${secret:NAME}")
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return fail("certificate_password does not open the PFX file; ask whoever exported the file, or export it again")
	case err != nil && bytes.Contains(data, []byte("-----BEGIN")):
		return fail("no certificate with its RSA private key in PEM (" + err.Error() + "); put both into the one file, as openssl pkcs12 -nodes writes them")
	case err != nil:
		return fail("neither PEM nor a PFX file of the kind that can be read (" + err.Error() + "); convert it: openssl pkcs12 -in FILE -nodes -out cert.pem")
	}
	leaf, ok := leafOf(certs, key)
	if !ok {
		return fail("the private key does not belong to any certificate in the file, or is not an RSA key; export the app's certificate and its key together")
	}
	return keyPair{certs: append([]*x509.Certificate{leaf}, without(certs, leaf)...), key: key}, nil
}

// parse reads PEM, or a PFX file of any of the ciphers that Windows, Azure and OpenSSL
// write; the SDK reads those of before 2021 alone.
func parse(data []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return azidentity.ParseCertificates(data, nil)
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	return append([]*x509.Certificate{leaf}, chain...), key, err
}

// leafOf finds the certificate of the key, wherever it stands in the file.
func leafOf(certs []*x509.Certificate, key crypto.PrivateKey) (*x509.Certificate, bool) {
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, false
	}
	for _, c := range certs {
		if public, ok := c.PublicKey.(*rsa.PublicKey); ok && public.Equal(&private.PublicKey) {
			return c, true
		}
	}
	return nil, false
}

func without(certs []*x509.Certificate, leaf *x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range certs {
		if c != leaf {
			out = append(out, c)
		}
	}
	return out
}

// ends is when the connection's certificate ends (sdk.ConnectionType.Ends). The end of
// a client secret is known to Entra alone: expires: of the connection says it.
func ends(cfg any, baseDir string) (time.Time, error) {
	c := cfg.(*Connection).Rooted(baseDir)
	if c.Certificate == "" {
		return time.Time{}, nil
	}
	pair, err := c.readKeyPair()
	if err != nil {
		return time.Time{}, err
	}
	return pair.certs[0].NotAfter, nil
}

// files are what makes up the login beside the configuration (sdk.ConnectionType.Files).
func files(cfg any, baseDir string) []string {
	c := cfg.(*Connection).Rooted(baseDir)
	var out []string
	for _, path := range []string{c.Certificate, c.CA} {
		if path != "" {
			out = append(out, path)
		}
	}
	return out
}
