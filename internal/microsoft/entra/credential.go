package entra

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/remeld/remeld/sdk"
)

// credential makes the SDK's credential for the connection's kind; it makes no call.
func (t *TokenSource) credential() (azcore.TokenCredential, error) {
	c, opts, private := &t.conn, t.options(), t.conn.Authority != ""
	var cred azcore.TokenCredential
	var err error
	switch {
	case c.Certificate != "":
		return t.certificate(opts, private)
	case c.FederatedTokenFile != "":
		if _, err := os.Stat(c.FederatedTokenFile); err != nil {
			// It may not be mounted yet, so this passes by itself.
			return nil, &sdk.Error{Failure: sdk.NotSent, Message: "the federated token cannot be read; check federated_token_file and that the platform mounts it", Err: err}
		}
		cred, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: opts, TenantID: c.TenantID, ClientID: c.ClientID, TokenFilePath: c.FederatedTokenFile, DisableInstanceDiscovery: private,
		})
	case c.ManagedIdentity != "":
		cred, err = t.managed(opts)
	case c.AzureCLI:
		cred, err = newCLI(c.TenantID)
	default:
		cred, err = azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret.Reveal(),
			&azidentity.ClientSecretCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: private})
	}
	if err != nil {
		return nil, &sdk.Error{Failure: sdk.Unauthorized, Message: "the Entra connection cannot be used", Err: err}
	}
	return cred, nil
}

func (t *TokenSource) options() azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     azcloud.Configuration{ActiveDirectoryAuthorityHost: t.conn.AuthorityURL() + "/"},
		Transport: t.http,
		// One try: the caller has the one retry layer (SEMANTICS D12).
		Retry: policy.RetryOptions{MaxRetries: -1},
	}
}

// managed asks the machine's own endpoint, which is plain http on a link-local or
// loopback address: no proxy, no guard against such addresses.
func (t *TokenSource) managed(opts azcore.ClientOptions) (azcore.TokenCredential, error) {
	opts.Transport = t.local
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: opts}
	if t.conn.ManagedIdentity == "user" {
		o.ID = azidentity.ClientID(t.conn.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(o)
}

func (t *TokenSource) certificate(opts azcore.ClientOptions, private bool) (azcore.TokenCredential, error) {
	pair, err := t.conn.readKeyPair()
	if err != nil {
		return nil, err
	}
	cred, err := azidentity.NewClientCertificateCredential(t.conn.TenantID, t.conn.ClientID, pair.certs, pair.key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: opts, DisableInstanceDiscovery: private})
	if err != nil {
		return nil, &sdk.Error{Failure: sdk.Unauthorized, Message: "cannot use the certificate " + t.conn.Certificate, Err: err}
	}
	return cred, nil
}

// cli keeps the tokens of az, which the SDK would call anew for each API call. Used
// under the lock of its TokenSource.
type cli struct {
	az   azcore.TokenCredential
	held map[string]azcore.AccessToken // by scope
}

// early is how long before its end a held token is replaced, as the SDK does with the
// other kinds.
const early = 5 * time.Minute

func newCLI(tenant string) (*cli, error) {
	az, err := azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: tenant})
	return &cli{az: az, held: map[string]azcore.AccessToken{}}, err
}

// GetToken implements azcore.TokenCredential.
func (c *cli) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	scope := opts.Scopes[0]
	if t := c.held[scope]; time.Until(t.ExpiresOn) > early {
		return t, nil
	}
	t, err := c.az.GetToken(ctx, opts)
	if err == nil {
		c.held[scope] = t
	}
	return t, err
}

// kind is the connection's credential in a person's words.
func (c *Connection) kind() string {
	switch {
	case c.Certificate != "":
		return "certificate"
	case c.FederatedTokenFile != "":
		return "federated token"
	case c.ManagedIdentity != "":
		return c.ManagedIdentity + "-assigned managed identity"
	case c.AzureCLI:
		return "Azure CLI"
	}
	return "client secret"
}

// locally explains a failure of the kinds that do not talk to Entra themselves: the
// machine's identity endpoint and the az command. nil where it is none of theirs.
func (c *Connection) locally(err error) error {
	var answered *azidentity.AuthenticationFailedError
	has := errors.As(err, &answered) && answered.RawResponse != nil
	switch {
	case c.ManagedIdentity != "" && has && answered.RawResponse.StatusCode == 400, c.ManagedIdentity == "system" && !has && unavailable(err):
		return &sdk.Error{Failure: sdk.Unauthorized, Message: fmt.Sprintf(
			"this machine has no such managed identity (%s, client_id %s); assign it under Identity of the machine in the Azure portal, or correct managed_identity and client_id", c.ManagedIdentity, c.ClientID)}
	case c.ManagedIdentity != "" && has:
		return &sdk.Error{Failure: sdk.NotSent, Message: "the managed identity endpoint of this machine answered " + brief(err) + "; it will be asked again"}
	case c.ManagedIdentity != "":
		return &sdk.Error{Failure: sdk.NotSent, Message: "no managed identity endpoint answers: " + brief(err) + "; managed_identity works on Azure machines and services with an identity only"}
	case c.AzureCLI:
		return &sdk.Error{Failure: sdk.NotSent, Message: "az gives no token: " + brief(err) + "; sign it in on this machine as the user remeld runs as: az login --service-principal --tenant " + c.TenantID}
	}
	return nil
}

// unavailable tells the SDK's error for an identity endpoint that refused: its type is
// not exported, its text holds the endpoint's answer.
func unavailable(err error) bool {
	return aadsts(err) == "" && notAssigned.MatchString(err.Error())
}
