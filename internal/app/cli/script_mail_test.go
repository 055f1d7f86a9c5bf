package cli_test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// mailServer speaks SMTP with STARTTLS and one login, and keeps what it was told.
type mailServer struct {
	trust *tls.Config
	login string // base64 of what AUTH PLAIN must say

	mu   sync.Mutex
	said []string
}

// startMail starts a mail server with a certificate of its own.
func startMail(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: mailserver CA-FILE USER PASSWORD")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail of a script"}, NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	m := &mailServer{
		trust: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		login: base64.StdEncoding.EncodeToString([]byte("\x00" + args[1] + "\x00" + args[2])),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go m.serve(conn)
		}
	}()
	ts.Setenv("MAIL_PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Value(roomKey{}).(*room).mail = m
}

func (m *mailServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "220 mail.soc.example\r\n")
	secure := false
	for in := bufio.NewScanner(conn); in.Scan(); {
		line := in.Text()
		m.note(line)
		switch verb, rest, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "EHLO":
			offer := "STARTTLS"
			if secure {
				offer = "AUTH PLAIN"
			}
			fmt.Fprintf(conn, "250-mail.soc.example\r\n250 %s\r\n", offer)
		case "STARTTLS":
			fmt.Fprint(conn, "220 go on\r\n")
			conn, secure = tls.Server(conn, m.trust), true
			in = bufio.NewScanner(conn)
		case "AUTH":
			answer := "535 5.7.8 no such user or password"
			if rest == "PLAIN "+m.login {
				answer = "235 welcome"
			}
			fmt.Fprint(conn, answer+"\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

// note keeps the verb alone: what follows AUTH is a secret.
func (m *mailServer) note(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	verb, _, _ := strings.Cut(line, " ")
	m.said = append(m.said, verb)
}

// mailVerbs prints what the mail server was told.
func mailVerbs(ts *testscript.TestScript, _ bool, _ []string) {
	m := ts.Value(roomKey{}).(*room).mail
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintln(ts.Stdout(), strings.Join(m.said, "\n"))
}
