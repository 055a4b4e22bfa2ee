// A third party's CyberTipline client, run against the fake server of the tests.
// Reads {url, username, password} from stdin, prints what it was told.
import { Client, Environment, IncidentType } from "@civitai/cybertipline-tools";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const given = JSON.parse(Buffer.concat(chunks).toString());

const client = new Client({
  environment: Environment.Testing,
  credentials: { username: given.username, password: given.password },
});
client.baseUrl = given.url; // it knows NCMEC's two hosts only

const said = {};
said.status = (await client.getStatus()).data.responseCode;

const report = {
  incidentSummary: {
    incidentType: IncidentType.ChildPornography,
    incidentDateTime: new Date("2026-03-01T09:12:44Z"),
  },
  incidentDetails: {
    webPageIncidents: [{ url: ["https://board.example/t/4471"], thirdPartyHostedContent: true }],
  },
  reporter: { reportingPerson: { firstName: "Synthetic", email: given.email ? [{ email: given.email }] : [] } },
  additionalInfo: "synthetic",
};
const submitted = await client.submitReport(report);
const id = submitted.data.reportId;
said.requestId = submitted.requestId;
const text = new File(["synthetic text sheet\n"], "item-1.txt", { type: "text/plain" });
const uploaded = await client.uploadFile({ id, file: text });
said.hash = uploaded.data.hash;
said.details = (
  await client.submitFileDetails({
    reportId: Number(id),
    fileId: uploaded.data.fileId,
    fileRelevance: "Supplemental Reported",
    fileViewedByEsp: true,
    additionalInfo: ["synthetic"],
  })
).data.responseCode;
const finished = await client.finishReport({ id });
said.finished = finished.data.responseCode;
said.reportId = String(id);
said.again = await client.finishReport({ id }).then(() => "", (error) => error.message);
console.log(JSON.stringify(said));
