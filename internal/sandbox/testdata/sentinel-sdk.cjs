// Drives the sandbox's Sentinel with Microsoft's own client: every call of its
// threat intelligence group. Prints what it saw, one line a call.
//
//   NODE_PATH=.../node_modules NODE_EXTRA_CA_CERTS=ca.pem node sentinel-sdk.cjs URL TENANT APP SECRET SUBSCRIPTION GROUP WORKSPACE
const { SecurityInsights } = require("@azure/arm-securityinsight");
const { ClientSecretCredential } = require("@azure/identity");

async function collect(pages) {
  const out = [];
  for await (const item of pages) out.push(item);
  return out;
}

async function main([url, tenant, app, secret, subscription, group, workspace]) {
  const credential = new ClientSecretCredential(tenant, app, secret, { authorityHost: url, disableInstanceDiscovery: true });
  const client = new SecurityInsights(credential, subscription, {
    endpoint: url, credentialScopes: ["https://management.azure.com/.default"], retryOptions: { maxRetries: 0 },
  });
  const one = client.threatIntelligenceIndicator, many = client.threatIntelligenceIndicators;
  const body = {
    kind: "indicator", source: "sdk", displayName: "made by the SDK", pattern: "[url:value = 'https://a.example/']", patternType: "url",
    confidence: 78, threatTypes: ["malicious-activity"], validFrom: new Date("2026-01-01T00:00:00Z").toISOString(), threatIntelligenceTags: ["one"],
  };
  const made = await one.createIndicator(group, workspace, body);
  console.log("create", made.kind, made.displayName, made.confidence, made.parsedPattern[0].patternTypeValues[0].value);
  const got = await one.get(group, workspace, made.name);
  console.log("get", got.name === made.name, got.etag === made.etag, got.threatIntelligenceTags.join());
  const changed = await one.create(group, workspace, made.name, { ...body, displayName: "changed" });
  console.log("put", changed.displayName, changed.externalId === made.externalId);
  await one.appendTags(group, workspace, made.name, { threatIntelligenceTags: ["two"] });
  const tagged = await one.get(group, workspace, made.name);
  console.log("appendTags", tagged.threatIntelligenceTags.join());
  const replaced = await one.replaceTags(group, workspace, made.name, { ...body, etag: tagged.etag, threatIntelligenceTags: ["three"] });
  console.log("replaceTags", replaced.threatIntelligenceTags.join());
  for (let i = 0; i < 4; i++) await one.createIndicator(group, workspace, { ...body, displayName: "n" + i });
  console.log("list", (await collect(many.list(group, workspace, { top: 2 }))).length);
  console.log("queryIndicators", (await collect(one.listQueryIndicators(group, workspace, { pageSize: 2, sources: ["sdk"], includeDisabled: true }))).length);
  const metrics = await collect(client.threatIntelligenceIndicatorMetrics.list ? [await client.threatIntelligenceIndicatorMetrics.list(group, workspace)] : []);
  console.log("metrics", metrics[0].value[0].properties.sourceMetrics[0].metricValue);
  await one.delete(group, workspace, made.name);
  await one.delete(group, workspace, made.name);
  console.log("delete", await one.get(group, workspace, made.name).then(() => "still there", (e) => e.statusCode + " " + e.code));
  console.log("role", await one.createIndicator(group, workspace + "-closed", body).then(() => "open", (e) => e.statusCode + " " + e.code));
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e.name, e.statusCode, e.code, e.message);
  process.exit(1);
});
