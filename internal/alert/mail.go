package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/remeld/remeld/sdk"
)

// Mail sends messages by SMTP. TLS is demanded unless Plain.
type Mail struct {
	Host     string
	Port     int // 587 with STARTTLS, 465 with TLS from the start
	Username string
	Password sdk.Secret
	From     string
	To       []string
	CA       string // PEM file with authorities trusted beside the system's
	Plain    bool   // no TLS: for a relay on this machine
	Clock    sdk.Clock
}

// mailTimeout bounds one delivery.
const mailTimeout = 30 * time.Second

// Send delivers the message once.
func (s *Mail) Send(ctx context.Context, m *Message) error {
	msg := mail.NewMsg()
	if err := msg.From(s.From); err != nil {
		return fmt.Errorf("the sender %q is no mail address: %w", s.From, err)
	}
	if err := msg.To(s.To...); err != nil {
		return fmt.Errorf("a recipient is no mail address: %w", err)
	}
	msg.Subject(m.Title)
	msg.SetDateWithValue(m.At)
	msg.SetBodyString(mail.TypeTextPlain, m.Text())
	l := &line{mail: s}
	client, err := s.client(s.Username != "", l)
	if err != nil {
		return err
	}
	defer l.close()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("mail by %s:%d: %w", s.Host, s.Port, err)
	}
	return nil
}

// implicitTLS is the port on which TLS begins with the first byte (RFC 8314).
const implicitTLS = 465

func (s *Mail) client(login bool, l *line) (*mail.Client, error) {
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	opts := []mail.Option{mail.WithPort(s.Port), mail.WithTimeout(mailTimeout), mail.WithTLSConfig(trust), mail.WithDialContextFunc(l.dial)}
	switch {
	case s.Plain:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	case s.Port == implicitTLS: // begun by the line; so asked, the library sees that it is
		opts = append(opts, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if login {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.Username), mail.WithPassword(s.Password.Reveal()))
	}
	client, err := mail.NewClient(s.Host, opts...)
	if err != nil {
		return nil, fmt.Errorf("mail by %s:%d: %w", s.Host, s.Port, err)
	}
	return client, nil
}

// line is the connection of one session. It is kept because the library leaves it open
// where a session does not come to be.
type line struct {
	mail *Mail
	conn net.Conn
	step string // what the session is at: connection, TLS, answer
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.conn, l.step = conn, "answer"
	if l.mail.Plain || l.mail.Port != implicitTLS {
		return conn, nil
	}
	l.step = "TLS"
	trust, err := l.mail.trust()
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, trust)
	return secured, secured.HandshakeContext(ctx)
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close() // the session is over, or never came to be
	}
}

func (s *Mail) trust() (*tls.Config, error) {
	cfg := &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}
	if s.CA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, fmt.Errorf("read the mail server's authority: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", s.CA)
	}
	cfg.RootCAs = pool
	return cfg, nil
}
