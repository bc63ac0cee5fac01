import { AxeBuilder } from "@axe-core/playwright";
import type { Destination, TrafficSample } from "@repldock/protocol";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { openPage, settled, soon } from "../support/browser.ts";
import { IdePage } from "../support/ide-page.ts";
import { openProject, site } from "../support/world.ts";

const reason = "It sends more than its share. Please tell us why.";
const answer = "A download loop, mended now.";

test("an operator throttles a project on the node's page, its owner reads why and answers, and it is lifted", async () => {
	const { project } = await openProject("python-web", { name: "Loud", visibility: "public" });
	const [node] = (await site().call<{ items: { id: string }[] }>("GET", "/nodes")).items;
	if (!node) throw new Error("The instance has no node.");
	const page = await openPage();
	// What the node tells of its network depends on the moment; this talker and alert stand in for it.
	await page.route(`**/api/v1/nodes/${node.id}/traffic`, async (route) => {
		const real = await route.fetch();
		const body = await real.json();
		const shown = { id: project.id, name: "Loud", slug: project.slug, ownerName: "Ada" };
		const restricted = body.restricted.find(({ id }: { id: string }) => id === project.id);
		body.now = {
			at: new Date().toISOString(),
			uplinkBitsPerSecond: 1e9,
			floorBitsPerSecond: 2e6,
			sentBitsPerSecond: 6.4e8,
			receivedBitsPerSecond: 2.1e7,
			refusedPackets: 31,
		};
		body.talkers = [
			{
				project: restricted ?? { ...shown, ownerId: "u1", restriction: null, restrictedAt: null, answer: null },
				sentBitsPerSecond: 6.4e8,
				receivedBitsPerSecond: 2.1e7,
				refusedPackets: 31,
				connections: 214,
			},
		];
		body.owners = [{ id: "u1", name: "Ada", projects: 1, sentBitsPerSecond: 6.4e8, receivedBitsPerSecond: 2.1e7 }];
		body.alerts = [
			{
				id: crypto.randomUUID(),
				kind: "port-scan",
				detail: "Tried 900 or more addresses and ports that do not answer.",
				noticedAt: new Date(Date.now() - 240_000).toISOString(),
				deliveredAt: null,
				project: shown,
			},
		];
		await route.fulfill({ response: real, json: body });
	});
	await page.goto("/admin");
	await page.locator(`a[href="/admin/nodes/${node.id}"]`).click();
	await page.getByText("640 Mbit/s").first().waitFor();
	await page.getByText("2.0 Mbit/s").waitFor();
	await page.getByText("Tried 900 or more").waitFor();
	await shots(page, "node", "main");

	await page.getByRole("button", { name: "Throttle Loud" }).click();
	const dialog = page.getByRole("dialog");
	await dialog.getByLabel("It may send at most").fill("500");
	await dialog.getByLabel("Reason").fill(reason);
	await shots(page, "dialog", "dialog");
	await dialog.getByRole("button", { name: "Throttle", exact: true }).click();
	await page.getByText(reason).waitFor();
	await page.getByText("throttled to 500 kbit/s").waitFor();
	expect((await site().project(project.id)).networkRestriction).toEqual({
		kind: "throttled",
		bitsPerSecond: 500_000,
		reason,
	});

	const owner = await openPage();
	await owner.goto("/projects");
	await owner.getByText(`An operator throttled its network: ${reason}`).waitFor();
	await shots(owner, "card", "main");
	await IdePage.open(owner, project.id);
	await owner.getByRole("tab", { name: "Network" }).click();
	const panel = owner.getByRole("region", { name: "Network" });
	await panel.getByText("An operator throttled this project to 500 kbit/s").waitFor();
	await panel.getByLabel("Your answer").fill(answer);
	await panel.getByRole("button", { name: "Answer" }).click();
	await panel.getByText(`You answered: ${answer}`).waitFor();

	await page.reload();
	await page.getByText(`Answer: ${answer}`).waitFor();
	await page.getByRole("button", { name: "Lift the restriction of Loud" }).click();
	await page.getByText("No project's network is restricted.").waitFor();
	expect((await site().project(project.id)).networkRestriction).toBeNull();
});

const destination: Destination = {
	address: "198.18.0.7",
	name: "packages.example.org",
	port: 443,
	protocol: "tcp",
	open: 3,
	sentBytes: 48_200,
	receivedBytes: 91_700_000,
	lastSeenAtMs: Date.now(),
};

test("an owner watches the project's traffic: floor, what is borrowed, destinations and refusals, on every screen", async () => {
	const { project } = await openProject("python-web");
	const page = await openPage();
	let tell = (_samples: TrafficSample[]) => {};
	// The real socket, with samples of this test put in: a busy uplink is nothing that this machine may have.
	await page.routeWebSocket(/\/events/, (socket) => {
		const server = socket.connectToServer();
		server.onMessage((data) => {
			if (typeof data === "string" && data.startsWith('{"type":"traffic"')) return;
			socket.send(data);
		});
		tell = (samples) =>
			socket.send(
				JSON.stringify({
					type: "traffic",
					reset: false,
					samples,
					floorBitsPerSecond: 2_000_000,
					ceilingBitsPerSecond: 1_000_000_000,
					details: {
						destinations: [destination, { ...destination, address: "198.18.0.9", name: null, port: 80, open: 0 }],
						refused: [{ reason: "udp", packets: 1_204 }],
					},
				}),
			);
	});
	await IdePage.open(page, project.id);
	await page.getByRole("tab", { name: "Network" }).click();
	const endMs = Date.now();
	tell(
		Array.from({ length: 280 }, (_, index) => ({
			atMs: endMs - (280 - index) * 1000,
			sentBitsPerSecond: Math.max(0, 1_500_000 + 2_200_000 * Math.sin(index / 30)),
			receivedBitsPerSecond: 900_000 + 500_000 * Math.cos(index / 17),
		})),
	);
	tell([{ atMs: endMs, sentBitsPerSecond: 3_500_000, receivedBitsPerSecond: 640_000 }]);
	const panel = page.getByRole("region", { name: "Network" });
	await panel.getByRole("img", { name: "Traffic of the last five minutes" }).waitFor();
	const figure = (label: string) => panel.locator("dl.ide-traffic-figures > div", { hasText: label }).locator("dd");
	await soon(() => figure("Sends").innerText()).toBe("3.5 Mbit/s");
	expect(await figure("of it borrowed").innerText()).toBe("1.5 Mbit/s");
	expect(await figure("Guaranteed").innerText()).toBe("2.0 Mbit/s");
	await panel.getByText("packages.example.org").waitFor();
	await panel.getByText("UDP is not let out").waitFor();
	await panel.getByText("This month").waitFor();
	await shots(page, "panel", ".ide-network", async () => {
		await page.getByRole("button", { name: "Console", exact: true }).click();
		await panel.getByText("packages.example.org").waitFor();
	});
});

/** Light and dark, wide and narrow: nothing that axe would refuse, and pictures where SHOTS names a folder. */
async function shots(page: Page, name: string, part: string, narrowed = async () => {}) {
	const folder = process.env.REPLDOCK_TEST_SCREENSHOTS;
	for (const width of [1440, 390]) {
		await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
		if (width === 390) await narrowed();
		for (const colorScheme of ["light", "dark"] as const) {
			await page.emulateMedia({ colorScheme });
			await settled(page);
			expect((await new AxeBuilder({ page }).include(part).analyze()).violations).toEqual([]);
			if (folder)
				await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: part === "main" });
		}
	}
	await page.setViewportSize({ width: 1440, height: 900 });
	await page.emulateMedia({ colorScheme: "light" });
}
