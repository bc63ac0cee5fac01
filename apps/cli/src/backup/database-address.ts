/** How libpq reaches a database: its keywords and their values. */
export type DatabaseKeywords = Readonly<Record<string, string>>;

/**
 * Takes a connection URL apart, so that its password need not stand in an argument list.
 * @throws Error when it is no URL of PostgreSQL.
 */
export function parseDatabaseUrl(url: string): DatabaseKeywords {
	const match =
		/^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?(\[[^\]]*\]|[^:/?]*)(?::(\d+))?(?:\/([^?]*))?(?:\?(.*))?$/.exec(
			url,
		);
	if (!match) throw new Error("DATABASE_URL is not like postgres://user:password@host/database.");
	const [, user, password, host, port, dbname, query] = match.map((part) => decodeURIComponent(part ?? ""));
	const named = { user, password, host: host?.replace(/^\[|\]$/g, ""), port, dbname };
	const given = Object.entries(named).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
	// Values of the query are decoded once more by its own rules, so it is taken as it stood.
	const further = query === undefined ? [] : [...new URLSearchParams(match[6] ?? "")];
	return Object.fromEntries([...given, ...further]);
}

/** The same as a connection service file of libpq, section `repldock`. @throws Error */
export function serviceFile(keywords: DatabaseKeywords): string {
	const lines = Object.entries(keywords).map(([name, value]) => {
		if (!/^[a-z_]+$/.test(name) || /[\r\n]/.test(value)) throw new Error("DATABASE_URL holds what libpq cannot take.");
		return `${name}=${value}\n`;
	});
	return `[repldock]\n${lines.join("")}`;
}
