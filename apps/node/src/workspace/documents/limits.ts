import { documentMaxBytes } from "@repldock/protocol";

/** Time from an edit to the write of its file when more edits follow, and when they do not, in milliseconds. */
export const saveLatestMs = 130;
export const saveQuietMs = 80;

/** A file that is gone or empty is looked at again after this time: many programs replace files in two steps. */
export const replaceGraceMs = 150;

/** Waiting times between attempts to write a file that cannot be written. */
export const retryFirstMs = 500;
export const retryMostMs = 15_000;

/** Largest state of a document, with all that was ever deleted, that is kept in memory. */
export const historyMaxBytes = 4 * documentMaxBytes;
/** Largest amount of updates that wait for others which they build on. */
export const pendingMaxBytes = documentMaxBytes;

/** Journals are written anew when they have grown by this factor and amount. */
export const journalGrowthFactor = 4;
export const journalGrowthBytes = 256 * 1024;
/** A history is not kept for later when it is this much larger than the text. */
export const historyWorthFactor = 8;
export const historyWorthBytes = 1024 * 1024;

export const documentsPerWorkspace = 500;
export const documentsPerClient = 200;
export const textBytesPerWorkspace = 128 * 1024 * 1024;
/** Journals of closed documents that are kept for clients who were offline, the newest ones. */
export const journalsKept = 1_000;
export const journalsKeptBytes = 64 * 1024 * 1024;

export const awarenessMaxBytes = 16 * 1024;
export const awarenessStatesPerClient = 8;
