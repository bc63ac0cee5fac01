import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type Checkpoint, NodeToSite, type SiteToNode } from "@repldock/protocol";
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { connectControl } from "../src/control/client.ts";
import { log } from "./host/machine.ts";

const checkpoint: Checkpoint = {
	projectId: randomUUID(),
	generation: 1,
	sequence: 2,
	parent: null,
	kind: "change",
	name: null,
	takenAt: "2026-01-02T03:04:05.000Z",
	key: "packs/one",
	start: 0,
	bytes: 10,
	sha256: "ab".repeat(32),
};

test("no checkpoint is told before the site's welcome, which has those told that it builds on, at each connection", async () => {
	const site = new WebSocketServer({ host: "127.0.0.1", port: 0 });
	await once(site, "listening");
	const told: (string | number)[] = [];
	site.on("connection", (socket) =>
		socket.on("message", (data) => {
			const message = NodeToSite.parse(JSON.parse(String(data)));
			told.push(
				...(message.type === "checkpoints" ? message.checkpoints.map(({ sequence }) => sequence) : [message.type]),
			);
		}),
	);
	const onWelcome = vi.fn();
	const control = connectControl({
		siteUrl: `http://127.0.0.1:${(site.address() as AddressInfo).port}`,
		nodeToken: "secret",
		name: "one",
		gatewayUrl: "http://node.localhost:8080",
		edgeAddress: "",
		edgeTlsPort: null,
		slots: 1,
		machineId: randomUUID(),
		storeId: () => null,
		observed: () => [],
		onWelcome,
		onDesired: () => undefined,
		onRoutes: () => undefined,
		onTrafficKept: () => undefined,
		onAlertsKept: () => undefined,
		onCheckpointsRecorded: () => undefined,
		log,
	});
	onTestFinished(async () => {
		control.close();
		for (const socket of site.clients) socket.terminate();
		site.close();
		await once(site, "close");
	});
	for (const connection of [1, 2]) {
		await vi.waitFor(() => expect(told).toEqual(["hello"]), 10_000);
		control.reportCheckpoints([{ ...checkpoint, sequence: 1 }]);
		const welcome: SiteToNode = {
			type: "welcome",
			nodeId: randomUUID(),
			ticketKeys: [{ kid: "key", kty: "OKP", crv: "Ed25519", x: "" }],
			siteOrigins: [],
			edgeSecret: "e".repeat(32),
			siteAddresses: [],
		};
		for (const socket of site.clients) socket.send(JSON.stringify(welcome));
		await vi.waitFor(() => expect(onWelcome).toHaveBeenCalledTimes(connection));
		control.reportCheckpoints([checkpoint]);
		await vi.waitFor(() => expect(told).toHaveLength(2));
		expect(told.splice(0)).toEqual(["hello", 2]);
		for (const socket of site.clients) socket.terminate();
	}
});
