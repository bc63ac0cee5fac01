import { randomUUID } from "node:crypto";
import { expect, inject, onTestFinished, test } from "vitest";
import { openPage } from "../support/browser.ts";
import { site } from "../support/world.ts";

test("a second person signs up by the form, signs out, and sees nothing of others' private projects", async () => {
	const secret = await site().createProject("python", { name: "Secret plans" });
	const page = await openPage(null);
	await page.goto("/sign-up");
	await page.getByLabel("Name").fill("Grace Hopper");
	await page.getByLabel("Email").fill(`${randomUUID()}@example.org`);
	await page.getByLabel("Password", { exact: true }).fill("a nanosecond of wire");
	await page.getByRole("button", { name: "Create account" }).click();
	await page.getByRole("heading", { name: "Welcome aboard, Grace" }).waitFor();
	expect(await page.getByText("Secret plans").count()).toBe(0);

	await page.goto(`/projects/${secret.id}`);
	await page.getByText("There is no such project").first().waitFor();
	expect(await page.content()).not.toContain("Secret plans");
	expect((await page.goto("/admin"))?.status()).toBe(404);

	await page.goto("/projects");
	await page.getByRole("button", { name: /Grace Hopper/ }).click();
	await page.getByRole("menuitem", { name: "Sign out" }).click();
	await page.waitForURL(inject("instance").siteUrl);
	await page.goto(`/projects/${secret.id}`);
	await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("a wrong password is refused with a sentence, and the address stays typed", async () => {
	const page = await openPage(null);
	await page.goto("/sign-in");
	await page.getByLabel("Email").fill("nobody@example.org");
	await page.getByLabel("Password", { exact: true }).fill("not the password");
	await page.getByRole("button", { name: "Sign in" }).click();
	await page
		.getByRole("alert")
		.filter({ hasText: /password/i })
		.waitFor();
	expect(await page.getByLabel("Email").inputValue()).toBe("nobody@example.org");
});

test("the administrator closes registration, and nobody can sign up until it is open again", async () => {
	const admin = await openPage();
	await admin.goto("/admin");
	const stranger = await openPage(null);
	await stranger.goto("/sign-up");
	await stranger.getByLabel("Name").fill("Late");
	await stranger.getByLabel("Email").fill(`${randomUUID()}@example.org`);
	await stranger.getByLabel("Password", { exact: true }).fill("came too late for this");

	onTestFinished(() => site().call("PATCH", "/settings", { registration: "open" }));
	await admin.getByRole("switch", { name: "Anyone can sign up" }).click();
	await admin.getByText("Sign-up is closed").waitFor();

	// The form that was open before is refused too.
	await stranger.getByRole("button", { name: "Create account" }).click();
	await stranger.getByRole("alert").filter({ hasText: "takes no new accounts" }).waitFor();
	await stranger.goto("/sign-up");
	await stranger.getByRole("heading", { name: "Sign-up is closed" }).waitFor();

	await admin.getByRole("switch", { name: "Anyone can sign up" }).click();
	await admin.getByText("Sign-up is open").waitFor();
	await stranger.goto("/sign-up");
	await stranger.getByRole("heading", { name: "Create your account" }).waitFor();
});

test("the operator's link works once", async () => {
	const page = await openPage(null);
	await page.goto(inject("instance").operatorLink);
	await page
		.getByRole("alert")
		.filter({ hasText: /used|expired|no longer|not valid/i })
		.waitFor();
	await page.goto("/projects");
	await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("the administrator keeps a project on, its card says so, and lets it sleep again", async () => {
	const project = await site().createProject("node", { name: "Lighthouse" });
	const admin = await openPage();
	await admin.goto("/admin");
	await admin.getByLabel("Address of a project").fill(project.url);
	await admin.getByRole("button", { name: "Find" }).click();
	await admin.getByRole("button", { name: "Keep it on: Lighthouse" }).click();
	await admin.getByRole("button", { name: "Let it sleep: Lighthouse" }).waitFor();
	expect((await site().project(project.id)).alwaysOn).toBe(true);

	const projects = await openPage();
	await projects.goto("/projects");
	await projects.getByRole("listitem").filter({ hasText: "Lighthouse" }).getByText("Always on").waitFor();
	await admin.getByRole("button", { name: "Let it sleep: Lighthouse" }).click();
	await admin.getByText("Lighthouse sleeps when nobody uses it").waitFor();
	expect((await site().project(project.id)).alwaysOn).toBe(false);
});
