import { expect, test } from "vitest";
import { parseDatabaseUrl, serviceFile } from "../src/backup/database-address.ts";

test("every part of a database's URL reaches libpq", () => {
	expect(
		parseDatabaseUrl("postgres://ada:p%40ss%2Fw%25rd@db.example.com:5433/repl%20dock?sslmode=verify-full"),
	).toEqual({
		user: "ada",
		password: "p@ss/w%rd",
		host: "db.example.com",
		port: "5433",
		dbname: "repl dock",
		sslmode: "verify-full",
	});
	expect(parseDatabaseUrl("postgresql://repldock@/repldock?host=%2Frun%2Fpostgres")).toEqual({
		user: "repldock",
		dbname: "repldock",
		host: "/run/postgres",
	});
	expect(parseDatabaseUrl("postgresql://[::1]/db")).toEqual({ host: "::1", dbname: "db" });
	expect(() => parseDatabaseUrl("mysql://host/db")).toThrow(/DATABASE_URL/);
});

test("a value can add no line to the service file", () => {
	expect(serviceFile({ host: "h", password: "p w=d#;" })).toBe("[repldock]\nhost=h\npassword=p w=d#;\n");
	expect(() => serviceFile({ password: "x\nhost=evil" })).toThrow();
	expect(() => serviceFile({ "a\nb": "x" })).toThrow();
});
