// Calls an address several times and shows how fast it answered: a table of attempts, then the percentiles.
// Exit code: 0 all attempts good, 1 some were not, 2 where nothing answered at all.
// Leaves for whoever comes after it: {"attempts", "good", "median_ms", "slowest_ms"}, the times null where nothing answered.
"use strict";
const { writeFileSync } = require("node:fs");
const { performance } = require("node:perf_hooks");

const url = new URL(process.env.PARAM_URL);
const attempts = Number(process.env.PARAM_ATTEMPTS);
const expected = Number(process.env.PARAM_EXPECTED_STATUS);
const limit = Number(process.env.PARAM_LIMIT_MS);
const contains = process.env.PARAM_CONTAINS || "";
const pause = Number(process.env.PARAM_PAUSE_MS);
const client = require(url.protocol === "https:" ? "node:https" : "node:http");
const GREATEST_BODY = 1024 * 1024;

function attempt() {
  const started = performance.now();
  const taken = () => performance.now() - started;
  return new Promise((resolve) => {
    const failed = (error) => resolve({ ms: taken(), what: error.code || error.message });
    const request = client.get(url, { headers: { "user-agent": "oncall-http-health" } }, (response) => {
      const parts = [];
      let size = 0;
      response.on("data", (data) => {
        size += data.length;
        if (size <= GREATEST_BODY) parts.push(data);
      });
      response.on("error", failed);
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ ms: taken(), status: response.statusCode, what: verdict(response.statusCode, text, taken()) });
      });
    });
    request.setTimeout(limit * 2, () => request.destroy(new Error(`no answer within ${limit * 2} ms`)));
    request.on("error", failed);
  });
}

function verdict(status, text, ms) {
  if (status !== expected) return `not ${expected}`;
  if (!text.includes(contains)) return "the expected text is missing";
  return ms > limit ? "too slow" : "good";
}

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

async function main() {
  console.log(`${url.origin}${url.pathname}: ${attempts} attempts, ${limit} ms allowed`);
  console.log("attempt  status        ms  verdict");
  const results = [];
  for (let number = 1; number <= attempts; number++) {
    if (number > 1) await new Promise((resolve) => setTimeout(resolve, pause));
    const { ms, status, what } = await attempt();
    results.push({ ms, status, what });
    console.log(`${String(number).padStart(7)}  ${String(status ?? "-").padStart(6)}  ${ms.toFixed(1).padStart(8)}  ${what}`);
  }
  const bad = results.filter(({ what }) => what !== "good").length;
  const times = results.filter(({ status }) => status).map(({ ms }) => ms).sort((a, b) => a - b);
  const [median, slowest] = [percentile(times, 0.5) ?? null, times.at(-1) ?? null];
  const output = { attempts, good: attempts - bad, median_ms: median, slowest_ms: slowest };
  writeFileSync(process.env.ONCALL_OUTPUT, JSON.stringify(output));
  if (times.length === 0) {
    console.error("http-health: nothing answered");
    return 2;
  }
  const figures = [["fastest", times[0]], ["median", median], ["90 %", percentile(times, 0.9)], ["slowest", slowest]];
  console.log(figures.map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join(", "));
  if (bad > 0) console.error(`http-health: ${bad} of ${attempts} attempts were not good`);
  return bad > 0 ? 1 : 0;
}

main().then((code) => { process.exitCode = code; });
