// Rate at which a provider's public package verifies one message. The argument says what; for each line
// with a number of milliseconds it verifies so long and answers a line with operations a second.
import { createInterface } from "node:readline";

const job = JSON.parse(process.argv[2]);
let verify;
if (job.provider === "vnpay") {
  const { VNPay, ignoreLogger } = await import("vnpay");
  const vnpay = new VNPay({
    tmnCode: job.tmn_code,
    secureSecret: job.hash_secret,
    vnpayHost: "https://sandbox.vnpayment.vn",
    enableLog: false,
    loggerFn: ignoreLogger,
  });
  // What a server hands over: the parsed query.
  verify = () => vnpay.verifyIpnCall(Object.fromEntries(new URLSearchParams(job.query))).isVerified;
} else {
  const { PayOS } = await import("@payos/node");
  const payos = new PayOS({ clientId: job.client_id, apiKey: job.api_key, checksumKey: job.checksum_key });
  verify = async () => Boolean(await payos.webhooks.verify(JSON.parse(job.body)));
}
const run = async (milliseconds) => {
  const end = performance.now() + milliseconds;
  let count = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 64; i += 1) {
      if (!(await verify())) throw new Error("the package refuses the message");
    }
    count += 64;
  }
  return count;
};
// Microseconds, of all threads of the process or of the clock.
const now = () => {
  if (!job.processor_time) return performance.now() * 1000;
  const { user, system } = process.cpuUsage();
  return user + system;
};
await run(500);
for await (const line of createInterface({ input: process.stdin })) {
  const started = now();
  const count = await run(Number(line));
  console.log(Math.floor((count * 1_000_000) / (now() - started)));
}
