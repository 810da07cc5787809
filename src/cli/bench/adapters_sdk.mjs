// Rate at which a provider's public package verifies one message; prints operations a second.
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
await run(500);
const started = performance.now();
const count = await run(job.seconds * 1000);
console.log(Math.floor((count * 1000) / (performance.now() - started)));
