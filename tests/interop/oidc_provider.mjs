// A real OpenID provider (certified oidc-provider) on a loopback port, for one client of two kinds.
// Input (stdin, one JSON line): {redirectUri, secret}. Output: one JSON line {url} when it listens.
// POST /next {accountId, amr, acr} says who the next visitor is: it has no pages.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const [first] = await new Promise((ok) => {
  createInterface({ input: process.stdin }).once("line", (line) => ok([line]));
});
const input = JSON.parse(first);
process.stdin.on("end", () => process.exit(0)).resume();

const server = createServer();
await new Promise((ok) => server.listen(0, "127.0.0.1", ok));
const url = `http://127.0.0.1:${server.address().port}`;
const common = {
  redirect_uris: [input.redirectUri],
  response_types: ["code"],
  grant_types: ["authorization_code"],
};
let next = { accountId: "nobody" };

const provider = new Provider(url, {
  clients: [
    { ...common, client_id: "broker", client_secret: input.secret },
    { ...common, client_id: "broker-public", token_endpoint_auth_method: "none" },
    { ...common, client_id: "broker-hs256", client_secret: input.secret, id_token_signed_response_alg: "HS256" },
  ],
  acrValues: ["phr"],
  claims: { openid: ["sub", "acr", "amr"] },
  conformIdTokenClaims: false,
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "HS256"] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid");
    await grant.save();
    return grant;
  },
});
const answer = provider.callback();
server.on("request", async (request, response) => {
  if (request.url === "/next") {
    const parts = [];
    for await (const part of request) parts.push(part);
    next = JSON.parse(Buffer.concat(parts));
    response.end();
  } else if (request.url.startsWith("/interaction/")) {
    const result = next.error ? { error: next.error } : { login: next };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } else {
    answer(request, response);
  }
});
console.log(JSON.stringify({ url }));
