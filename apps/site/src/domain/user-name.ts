import { z } from "zod";

/** A person's name: shown to others, and what programs see as REPL_OWNER. */
export const UserName = z
	.string()
	.trim()
	.min(1, "Say your name.")
	.max(60, "Use at most 60 characters.")
	.refine((name) => !/\p{Cc}/u.test(name), "Leave out line breaks and control characters.");

export const passwordMinLength = 8;
export const passwordMaxLength = 128;
