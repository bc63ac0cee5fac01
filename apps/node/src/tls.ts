import type { Logger } from "@repldock/service";
import { type Certificates, startCertificates } from "./certificates/certificates.ts";
import { makeSelfSigned } from "./certificates/make.ts";
import { gatewayUrl, type NodeConfig, type NodePaths } from "./config.ts";
import { checkTls } from "./config-tls.ts";
import type { EdgeTls } from "./host/edge-process.ts";
import type { Edge } from "./host.ts";

/** How NGINX is to speak TLS; undefined when it is not to. */
export async function planEdgeTls(config: NodeConfig): Promise<EdgeTls | undefined> {
	checkTls(config);
	if (config.httpsPort === undefined) return undefined;
	return {
		httpsPort: config.httpsPort,
		fallback: await makeSelfSigned("repldock.invalid"),
		redirect: config.httpsRedirect,
		hstsSeconds: Math.floor(config.hstsMs / 1000),
	};
}

/** Starts what keeps the edge's certificates; undefined when the edge does not speak TLS. */
export async function startNodeCertificates(
	config: NodeConfig,
	paths: NodePaths,
	edge: Edge,
	domains: readonly string[],
	log: Logger,
): Promise<Certificates | undefined> {
	if (config.tls === "off") return undefined;
	const host = (url: string) => new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
	return startCertificates({
		source: config.tls,
		directory: paths.certificates,
		names: [host(config.siteUrl), host(gatewayUrl(config)), `*.${config.appsDomain}`],
		domains,
		files: config.tlsCertificates.map((certificate, index) => ({ certificate, key: config.tlsKeys[index] ?? "" })),
		acme: { directoryUrl: config.acmeDirectory, email: config.acmeEmail, dnsHook: config.acmeDnsHook },
		edge,
		log,
	});
}
