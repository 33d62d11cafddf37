// Decides IAM requests. One JSON line in, one JSON line out: {role: name, ...} keeps a role's policies, {ask: [...]} answers.
import readline from "node:readline";
import { getDenialReasons, runSimulation } from "@cloud-copilot/iam-simulate";

const ALL = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
const roles = new Map();
const named = (prefix, policies) => (policies ?? []).map((policy, n) => ({ name: `${prefix}${n}`, policy }));
const level = (orgIdentifier, policies) => ({ orgIdentifier, policies });

async function decide(question) {
  const role = roles.get(question.role) ?? { identity: [] };
  const simulation = {
    request: {
      principal: question.principal ?? role.session,
      action: question.action,
      resource: { resource: question.resource, accountId: question.account },
      contextVariables: question.context ?? {},
    },
    identityPolicies: named("identity", role.identity),
    permissionBoundaryPolicies: role.boundary ? named("boundary", [role.boundary]) : undefined,
    serviceControlPolicies: [
      level("root", named("full", [ALL])),
      level("account", [...named("full", [ALL]), ...named("scp", question.scps)]),
    ],
    resourceControlPolicies: question.rcps?.length ? [level("root", named("rcp", question.rcps))] : [],
    resourcePolicy: question.resourcePolicy,
    sessionPolicy: question.sessionPolicy,
    vpcEndpointPolicies: question.endpointPolicies ? named("endpoint", question.endpointPolicies) : undefined,
  };
  const told = await runSimulation(simulation, question.discover ? { simulationMode: "Discovery" } : {});
  if (told.resultType === "error") return { error: JSON.stringify(told.errors) };
  const results = told.resultType === "single" ? [told.result] : told.results;
  return {
    result: told.overallResult,
    ignored: [...new Set(results.flatMap((one) => one.ignoredContextKeys ?? []))],
    denials: question.why ? results.flatMap((one) => getDenialReasons(one.analysis)) : [],
  };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  let answer = {};
  if (told.ask) {
    answer = [];
    for (const question of told.ask) {
      answer.push(await decide(question).catch((error) => ({ error: String(error) })));
    }
  } else roles.set(told.role, told);
  process.stdout.write(JSON.stringify(answer) + "\n");
}
