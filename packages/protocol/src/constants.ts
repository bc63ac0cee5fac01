/**
 * Values that both ends must agree on and that the browser needs too. This file imports nothing, so that a page that
 * uses it does not carry the schemas with it.
 */

/** Slugs: one DNS label without `--`, which separates a port from a slug in host names. */
export const slugPattern = /^(?!.*--)[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$/;

/** Host names under the apps domain that never belong to a project. */
export const reservedSlugs: readonly string[] = [
	"node",
	"site",
	"www",
	"api",
	"app",
	"apps",
	"admin",
	"mail",
	"localhost",
	"status",
	"static",
	"docs",
	"help",
	"ns1",
	"ns2",
	"smtp",
	"imap",
	"ftp",
];

/** Longest project name, in UTF-16 code units. */
export const projectNameMaxLength = 60;

/** Longest name of a version, in UTF-16 code units. */
export const versionNameMostLength = 100;

/** The console's PTY id: one per project, in which successive runs print. */
export const consolePtyId = "console";

/** Sockets name themselves with this subprotocol; the access token travels as a second one, `access.<token>`. */
export const socketSubprotocol = "repldock";
export const accessSubprotocolPrefix = "access.";

/**
 * Output that the holder sends before it waits for an acknowledgement, in bytes. Large enough to keep a fast browser
 * busy over a slow line, small enough that Ctrl-C is seen at once.
 */
export const ptyWindowBytes = 512 * 1024;

/** A client acknowledges output at least every this many bytes. */
export const ptyAcknowledgeEveryBytes = 128 * 1024;

/** Lines of output that survive a page reload, and the most bytes kept for them. */
export const scrollbackLines = 10_000;
export const scrollbackMaxBytes = 2 * 1024 * 1024;

/** Files above this size, or with NUL bytes, are not opened as documents; the page offers a download instead. */
export const documentMaxBytes = 4 * 1024 * 1024;

/** First byte of a binary frame's document message, after the document number (both are unsigned varints). */
export const documentMessageSync = 0;
export const documentMessageAwareness = 1;

/**
 * The Y.Text of a document that holds the file's content. The payload of a sync message is one message of y-protocols'
 * sync, that of an awareness message the bare awareness update (no length before it). Clients also keep counters in a
 * Y.Map named `edits`, so that a pure deletion moves the state vector too; the node carries it along unread.
 */
export const documentTextName = "content";

/** Cookie that lets a visitor of a private project's host name in; set by the edge's enter page. */
export const appAccessCookie = "repldock_access";

/** Path under each app's host name that is ours, not the app's. */
export const appReservedPath = "/_repldock/";
