package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

var (
	_ sdk.Checker = (*Mail)(nil)
	_ sdk.Checker = (*Webhook)(nil)
)

// Check looks at the way to the webhook's server. Whether the rest of the URL is right
// only a message shows, and none is sent.
func (w *Webhook) Check(ctx context.Context, report func(sdk.Check)) {
	defer w.HTTP.CloseIdle()
	if strings.HasPrefix(w.URL.Reveal(), "http://") {
		report(sdk.Check{Name: "encryption", State: sdk.CheckWarning, Detail: "none: the URL, which lets anybody post, can be read on the way", Fix: "use the https:// address of the webhook"})
	}
	if w.HTTP.Examine(ctx, w.URL.Reveal(), report) {
		report(sdk.Check{Name: "message", State: sdk.CheckSkipped, Detail: "none was sent; a webhook that refuses one raises the condition route_failing"})
	}
}

// Check speaks with the mail server up to where a message would begin: connection,
// greeting, TLS, then in a second session the login. No mail is sent.
func (s *Mail) Check(ctx context.Context, report func(sdk.Check)) {
	step, err := s.session(ctx, false, report)
	if err != nil {
		report(s.failed(step, err))
		report(sdk.Check{Name: "login", State: sdk.CheckSkipped, Detail: "not tried"})
		return
	}
	if s.Username == "" {
		report(sdk.Check{Name: "login", State: sdk.CheckSkipped, Detail: "the route has no username"})
	} else if _, err := s.session(ctx, true, func(sdk.Check) {}); err != nil {
		report(s.failed("login", err))
		return
	} else {
		report(sdk.Check{Name: "login", State: sdk.CheckOK, Detail: "as " + s.Username})
	}
	report(sdk.Check{Name: "message", State: sdk.CheckSkipped, Detail: fmt.Sprintf("none was sent; whether the server takes mail from %s is seen with the first", s.From)})
}

// authorities is the step of reading whom to trust.
const authorities = "certificate authorities"

// session begins and ends one session; an error comes with the step it belongs to.
func (s *Mail) session(ctx context.Context, login bool, report func(sdk.Check)) (step string, err error) {
	l := &line{mail: s, step: "connection"}
	client, err := s.client(login, l)
	if err != nil {
		return authorities, err
	}
	defer l.close()
	smtp, err := client.DialToSMTPClientWithContext(ctx)
	if l.conn != nil {
		report(sdk.Check{Name: "connection", State: sdk.CheckOK, Detail: "to " + l.conn.RemoteAddr().String()})
	}
	if err != nil {
		return l.step, err
	}
	report(s.encryption(smtp.GetTLSConnectionState()))
	_ = client.CloseWithSMTPClient(smtp) // a server that ends without a word was of use all the same
	return "", nil
}

func (s *Mail) encryption(state *tls.ConnectionState, err error) sdk.Check {
	if err == nil {
		return httpx.CheckCertificate(state, s.Clock.Now())
	}
	c := sdk.Check{Name: "TLS", State: sdk.CheckOK, Detail: "none, as plain: true says"}
	if ip := net.ParseIP(s.Host); s.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		c.State, c.Fix = sdk.CheckWarning, "take plain: true away: mail and password can be read on the way"
	}
	return c
}

// failed says in words what a session ended with, and what to do.
func (s *Mail) failed(step string, err error) sdk.Check {
	c := sdk.Check{Name: step, State: sdk.CheckFailed, Detail: err.Error()}
	port := strconv.Itoa(s.Port)
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		said    *textproto.Error
		slow    net.Error
	)
	switch {
	case step == authorities:
		c.Fix = "correct ca of the route's mail"
	case errors.As(err, &dns):
		c.Name, c.Detail, c.Fix = "name", s.Host+" does not resolve", "correct host of the route's mail, or this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		c.Detail, c.Fix = "connection refused: nothing listens on port "+port+" of "+s.Host, "correct host and port of the route's mail: 587 with STARTTLS, 465 with TLS from the start"
	case errors.As(err, &unknown):
		c.Name, c.Detail, c.Fix = "TLS", "the server's certificate is signed by an authority this machine does not trust", "give that authority's PEM file as ca of the route's mail"
	case errors.As(err, &host):
		c.Name, c.Detail, c.Fix = "TLS", "the server's certificate is not for "+s.Host, "use the name it was issued for as host"
	case errors.As(err, &invalid):
		c.Name, c.Detail, c.Fix = "TLS", "the server's certificate is not valid: "+invalid.Error(), "tell whoever runs the server; check this machine's clock"
	case errors.As(err, &record):
		c.Name, c.Detail, c.Fix = "TLS", "the server does not speak TLS from the start on port "+port, "use port 587, where TLS begins with STARTTLS"
	case strings.Contains(err.Error(), "not support STARTTLS"): // the library has no type for it
		c.Name, c.Detail, c.Fix = "TLS", "the server offers no STARTTLS on port "+port, "use port 465 if it speaks TLS from the start; plain: true is for a relay on this machine"
	case step == "login" && errors.As(err, &said):
		c.Detail, c.Fix = fmt.Sprintf("the server refuses %s: %d %s", s.Username, said.Code, said.Msg), "correct username and password of the route's mail; with multi-factor sign-in an app password is needed"
	case step == "login":
		c.Fix = "use a server and an account that take a login by SMTP"
	case errors.As(err, &slow) && slow.Timeout():
		c.Detail, c.Fix = "no answer from "+s.Host+" on port "+port, "ask whoever runs the firewall to let this machine out on that port"
	}
	return c
}
