/** One thing that Repldock needs of the machine. */
export interface Finding {
	name: string;
	state: "ok" | "warning" | "wrong";
	detail: string;
	/** The command, or the step, that mends it. */
	mend?: string;
}
