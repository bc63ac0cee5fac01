import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";
import { type Answer, reflect, type Seen } from "./visitors.ts";

const projectId = "3f0c9a52-1111-4111-8111-00000000000c";
const good = `rd_${"g".repeat(43)}`;
const wrong = `rd_${"w".repeat(43)}`;
const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
let edge: TestEdge;
let asked: { url: string; host: unknown; state: unknown; visitor: unknown }[] = [];

/** The agent's answers: cookies `<id>.token` are people's, one personal token is good, tickets are for one state. */
beforeAll(async () => {
	edge = await startEdge();
	await edge.service("agent", (incoming, response) => {
		const text = (name: string) => String(incoming.headers[name] ?? "");
		const [url, shown] = [incoming.url ?? "", text("x-repldock-access")];
		asked.push({
			url,
			host: incoming.headers["x-repldock-host"],
			state: incoming.headers["x-repldock-state"],
			visitor: incoming.headers["x-repldock-visitor"],
		});
		const person = url === "/edge/authorize" && /^(ada|bob)\.token$/.exec(shown)?.[1];
		const allowed =
			person || (url === "/edge/bearer" && shown === good) || (url === "/edge/visit" && shown === "a.ticket");
		response.statusCode = allowed ? 204 : url === "/edge/bearer" && shown.startsWith("rd_limit") ? 429 : 403;
		if (allowed) {
			response.setHeader("x-repldock-user-id", person || "robot");
			response.setHeader("x-repldock-user-name", person === "ada" ? "Ada L%C3%B6velace" : "Bob");
			response.setHeader("x-repldock-user-roles", person === "ada" ? "owner" : "");
			if (url === "/edge/visit") response.setHeader("x-repldock-access", "visit.cookie");
		}
		response.end();
	});
	const app = await edge.container(reflect);
	const target = { address: app.address, ports: [app.port], mainPort: app.port, projectId };
	await edge.edge.replaceRoutes({
		revision: 1,
		routes: [route("mine", { ...target, visibility: "private", domains: ["club.example.org"] }), route("shop", target)],
	});
});
beforeEach(() => {
	asked = [];
});
afterAll(() => edge?.release());

const seen = (answer: Answer) => JSON.parse(answer.body) as Seen;
const cookieOf = (answer: Answer, name: string) =>
	(answer.headers["set-cookie"] ?? [])
		.map((cookie) => cookie.split(";")[0] ?? "")
		.find((pair) => pair.startsWith(`${name}=`));

test("a browser without the right is sent to the site, and nothing of it may be stored", async () => {
	const answer = await edge.visit("Mine.apps.test", { path: "/a/b?q=1&r=%2F", headers: browser });
	expect(answer.status).toBe(302);
	const site = new URL(answer.headers.location ?? "");
	expect(site.origin + site.pathname).toBe(`http://localhost:${edge.port}/visit`);
	expect(site.searchParams.get("host")).toBe(`mine.apps.test:${edge.port}`);
	expect(site.searchParams.get("to")).toBe("/a/b?q=1&r=%2F");
	expect(answer.headers).toMatchObject({ "cache-control": "no-store", "referrer-policy": "no-referrer" });
	expect(cookieOf(answer, "repldock_visit")).toBe(`repldock_visit=${site.searchParams.get("state")}`);
	expect(asked).toEqual([]);
});

test("scripts, parts of pages, frames, forms and sockets are not sent anywhere", async () => {
	for (const headers of [
		{ ...browser, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" },
		{ ...browser, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
		{ ...browser, "x-requested-with": "XMLHttpRequest" },
		{ ...browser, connection: "upgrade", upgrade: "websocket" },
		{ accept: "*/*" },
		{},
	]) {
		const answer = await edge.visit("mine.apps.test", { headers });
		expect(answer.status, JSON.stringify(headers)).toBe(401);
		expect(answer.headers["www-authenticate"]).toBe('Bearer realm="Repldock"');
	}
	expect((await edge.visit("mine.apps.test", { method: "POST", headers: browser })).status).toBe(401);
});

test("a program gets a problem that says how it may come in", async () => {
	for (const accept of ["*/*", "application/json"]) {
		const answer = await edge.visit("mine.apps.test", { headers: { accept } });
		expect(answer.headers["content-type"]).toBe("application/problem+json");
		expect(JSON.parse(answer.body)).toMatchObject({ code: "sign_in_required", status: 401 });
		expect(answer.body).toContain("Authorization: Bearer rd_");
	}
});

test("back with a ticket, the browser that set out gets this host's cookie", async () => {
	const away = await edge.visit("mine.apps.test", { headers: browser });
	const cookie = cookieOf(away, "repldock_visit") ?? "";
	const back = await edge.visit("mine.apps.test", {
		path: "/_repldock/enter?ticket=a.ticket&to=%2Fa",
		headers: { ...browser, cookie },
	});
	expect(back.status).toBe(302);
	expect(back.headers.location).toBe("/a");
	expect(cookieOf(back, "repldock_access")).toBe("repldock_access=visit.cookie");
	expect(asked).toEqual([
		{ url: "/edge/visit", host: `mine.apps.test:${edge.port}`, state: cookie.split("=")[1], visitor: "127.0.0.1" },
	]);
	// A second tab sets out with the state of the first.
	const again = await edge.visit("mine.apps.test", { headers: { ...browser, cookie } });
	expect(cookieOf(again, "repldock_visit")).toBe(cookie);
});

test("a private app's custom domain sends a browser to the site for itself, and its cookie is that host's alone", async () => {
	const away = await edge.visit("club.example.org", { path: "/hall", headers: browser });
	expect(away.status).toBe(302);
	const host = `club.example.org:${edge.port}`;
	expect(new URL(away.headers.location ?? "").searchParams.get("host")).toBe(host);
	const back = await edge.visit("club.example.org", {
		path: "/_repldock/enter?ticket=a.ticket&to=%2Fhall",
		headers: { ...browser, cookie: cookieOf(away, "repldock_visit") ?? "" },
	});
	expect(back.headers.location).toBe("/hall");
	expect(asked.at(-1)).toMatchObject({ url: "/edge/visit", host });
	expect(back.headers["set-cookie"]).toHaveLength(2);
	for (const cookie of back.headers["set-cookie"] ?? []) expect(cookie).not.toMatch(/domain/i);
});

test("a browser that keeps no cookies is told so instead of going in circles, and a ticket alone signs nobody in", async () => {
	const answer = await edge.visit("mine.apps.test", {
		path: "/_repldock/enter?ticket=a.ticket&to=%2F",
		headers: browser,
	});
	expect(answer.status).toBe(403);
	expect(answer.body).toContain("kept no cookie");
	expect(answer.headers["set-cookie"]).toBeUndefined();
	expect(asked).toEqual([]);
});

test("the app learns who visits, each person by their own cookie, and sees none of our cookies", async () => {
	for (const [person, name, roles] of [
		["ada", "Ada L%C3%B6velace", "owner"],
		["bob", "Bob", ""],
		["ada", "Ada L%C3%B6velace", "owner"],
	] as const) {
		for (const host of ["mine.apps.test", "shop.apps.test"]) {
			const answer = await edge.visit(host, {
				headers: {
					cookie: `repldock_access=${person}.token; repldock_visit=${"s".repeat(24)}; mine=1`,
					"x-repldock-user-id": "root",
				},
			});
			expect(seen(answer).headers).toMatchObject({
				cookie: "mine=1",
				"x-repldock-user-id": person,
				"x-repldock-user-name": name,
				"x-replit-user-id": person,
				"x-replit-user-name": name,
			});
			expect(seen(answer).headers["x-replit-user-roles"] ?? "").toBe(roles);
		}
	}
	// Once for each person: both hosts are one project's.
	expect(asked.length).toBe(2);
});

test("nobody can claim to be somebody, however they spell it", async () => {
	const spellings = [
		"X-Repldock-User-Id",
		"x-REPLIT-user-NAME",
		"X-Replit-User-Roles",
		"X-Replit-User-Teams",
		"X_Repldock_User_Id",
		"X-Repldock_User-Id",
		"X-Repldock-Hop",
	];
	for (const cookie of ["a=1", "repldock_access=unknown"]) {
		for (const name of spellings) {
			const answer = await edge.visit("shop.apps.test", { headers: { cookie, [name]: ["1", "2"] } });
			expect(
				seen(answer).names.filter((sent) => /user|hop/.test(sent)),
				name,
			).toEqual([]);
		}
		const many = Array.from({ length: 90 }, (_, index) => `X-Filler-${index}: 1\r\n`).join("");
		const answer = await edge.raw(
			`GET / HTTP/1.1\r\nHost: shop.apps.test\r\nCookie: ${cookie}\r\n${many}x-rEpLiT-uSeR-iD: 1\r\nX-Replit-User-Id: 2\r\nConnection: close\r\n\r\n`,
		);
		expect(answer).toContain("200 OK");
		expect(answer.toLowerCase()).not.toContain("x-replit-user");
	}
});

test("a personal token opens a private app, and no app ever sees one", async () => {
	const answer = await edge.visit("mine.apps.test", { headers: { authorization: `Bearer ${good}` } });
	expect(answer.status).toBe(200);
	expect(seen(answer).headers).toMatchObject({ "x-repldock-user-id": "robot" });
	expect(seen(answer).names).not.toContain("authorization");
	for (const authorization of [`Bearer ${good}`, `bearer  ${wrong} `, `BEARER ${wrong}`]) {
		const open = await edge.visit("shop.apps.test", { headers: { authorization } });
		expect(seen(open).names).not.toContain("authorization");
	}
	// One that the edge would have to guess about twice: both go.
	const twice = await edge.raw(
		`GET / HTTP/1.1\r\nHost: shop.apps.test\r\nAuthorization: Basic eDp5\r\nAuthorization: Bearer ${good}\r\nConnection: close\r\n\r\n`,
	);
	expect(twice).not.toContain(good);
});

test("an Authorization header that is not ours arrives untouched", async () => {
	for (const authorization of ["Basic eDp5", "Bearer eyJ.a.b", "Bearer rd_short", `Bearer ${good}x`, `Token ${good}`]) {
		const answer = await edge.visit("shop.apps.test", { headers: { authorization } });
		expect(seen(answer).headers.authorization).toBe(authorization);
	}
	expect(asked).toEqual([]);
});

test("a wrong personal token is refused, remembered, and slowed down", async () => {
	for (let index = 0; index < 2; index += 1) {
		const answer = await edge.visit("mine.apps.test", { headers: { ...browser, authorization: `Bearer ${wrong}` } });
		expect(answer.status).toBe(403);
		expect(answer.headers["www-authenticate"]).toContain("Bearer");
	}
	expect(asked.length).toBe(1);
	const limited = await edge.visit("mine.apps.test", {
		headers: { authorization: `Bearer rd_limit${"x".repeat(38)}` },
	});
	expect(limited.status).toBe(429);
	expect(limited.headers["retry-after"]).toBe("10");
});

test("a public app may ask who visits, and a visitor may leave again", async () => {
	const away = await edge.visit("shop.apps.test", { path: "/_repldock/sign-in?to=%2Fcart", headers: browser });
	expect(away.status).toBe(302);
	expect(new URL(away.headers.location ?? "").searchParams.get("to")).toBe("/cart");
	const evil = await edge.visit("shop.apps.test", {
		path: "/_repldock/sign-in?to=%2F%2Fevil.example",
		headers: browser,
	});
	expect(new URL(evil.headers.location ?? "").searchParams.get("to")).toBe("/");
	const left = await edge.visit("shop.apps.test", { path: "/_repldock/sign-out?to=%2Fbye", headers: browser });
	expect(left.status).toBe(302);
	expect(left.headers.location).toBe("/bye");
	expect(left.headers["set-cookie"]?.filter((cookie) => cookie.includes("Max-Age=0")).length).toBe(3);
	const leftPrivate = await edge.visit("mine.apps.test", { path: "/_repldock/sign-out", headers: browser });
	expect(leftPrivate.status).toBe(200);
	expect(leftPrivate.body).toContain("You left this app");
});
