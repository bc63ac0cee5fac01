import { networkInterfaces } from "node:os";
import { runCommand } from "@repldock/service";
import { expect, test } from "vitest";
import { appsAddressFindings } from "../src/machine/apps-address.ts";

test("`doctor` says nothing of an apps' address that is not set, and warns of one that is not here", async () => {
	expect(await appsAddressFindings({})).toEqual([]);
	expect(await appsAddressFindings({ REPLDOCK_APPS_ADDRESS: "" })).toEqual([]);
	const [finding] = await appsAddressFindings({ REPLDOCK_APPS_ADDRESS: "198.18.255.254" });
	expect(finding).toMatchObject({
		state: "warning",
		mend: expect.stringContaining("ip address add 198.18.255.254/32"),
	});
});

test("`doctor` warns when the apps' address is the one by which the machine goes out", async () => {
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const routes = await runCommand("ip", ["-4", "route", "get", "203.0.113.1"]).catch(() => "");
	const address = /\bsrc (\S+)/.exec(routes)?.[1] ?? addresses.find(({ family }) => family === "IPv4")?.address;
	const [finding] = await appsAddressFindings({ REPLDOCK_APPS_ADDRESS: address });
	expect(finding?.state).toBe("warning");
	expect(finding?.detail).toContain("SSH too");
});
