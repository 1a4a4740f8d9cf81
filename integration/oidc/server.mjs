// An authorization server for the tests of the folder above: npm oidc-provider on
// 127.0.0.1, at a port that the system gives. The first argument is JSON:
//
//	life    seconds that an access token lives
//	jwk     public key of the client "keyed" (private_key_jwt), and of the certificate
//	tls     key, cert (PEM), x5c (base64 DER): serve https, and know the client "certified"
//
// It prints {"issuer": "http://127.0.0.1:…"} when it is ready, and ends when its
// standard input does, so that it never outlives the test that started it.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTLSServer } from 'node:https';
import Provider from 'oidc-provider';

const { life, jwk, tls } = JSON.parse(process.argv[2]);
process.stdin.resume().on('end', () => process.exit());

const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const device = 'urn:ietf:params:oauth:grant-type:device_code';

// user describes a client that users log in with, machine one that acts for itself.
const user = (id, more) => ({
  client_id: id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback'],
  ...more,
});
const machine = (id, more) => ({
  client_id: id,
  client_secret: `secret of ${id}, & more: %C3%A4`,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  scope: 'invoices:read',
  ...more,
});

const clients = [
  user('app'),
  user('bound', { dpop_bound_access_tokens: true }),
  user('keyed', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }),
  user('tv', { grant_types: [device, 'refresh_token'], response_types: [], redirect_uris: [] }),
  machine('service', { token_endpoint_auth_method: 'client_secret_basic' }),
  machine('poster', { token_endpoint_auth_method: 'client_secret_post' }),
  machine('prover', { dpop_bound_access_tokens: true }),
  machine('api'), // asks for introspection
];
if (tls) {
  clients.push(machine('certified', {
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    client_secret: undefined,
    jwks: { keys: [{ ...jwk, x5c: [tls.x5c] }] },
    tls_client_certificate_bound_access_tokens: true,
  }));
}

const configuration = {
  clients,
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [{ ...signing, kid: 'signing', alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  scopes: ['openid', 'offline_access', 'invoices:read'],
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'self_signed_tls_client_auth']
    .filter((method) => tls || method !== 'self_signed_tls_client_auth'),
  rotateRefreshToken: true, // each refresh token works once; the second time ends the login
  ttl: { AccessToken: life, ClientCredentials: life, RefreshToken: 24 * 3600, Session: 3600, Grant: 24 * 3600 },
  features: {
    devInteractions: { enabled: true }, // pages of a login that takes any name and password
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    mTLS: {
      enabled: Boolean(tls),
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate(),
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'invoices:read',
        audience: resource,
        accessTokenTTL: life,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
};

const server = tls
  ? createTLSServer({ key: tls.key, cert: tls.cert, requestCert: true, rejectUnauthorized: false })
  : createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  provider.on('server_error', (_ctx, error) => console.error(error));
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});
