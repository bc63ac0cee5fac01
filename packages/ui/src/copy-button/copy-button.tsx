import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { Button, type ButtonSize } from "../button/button.tsx";

const confirmedForMs = 2_000;

export interface CopyButtonProps {
	text: string;
	label?: string | undefined;
	size?: ButtonSize | undefined;
}

/** Puts `text` on the clipboard and says so. */
export function CopyButton({ text, label = "Copy", size = "small" }: CopyButtonProps) {
	const [result, setResult] = useState<"copied" | "failed" | null>(null);

	useEffect(() => {
		if (!result) return;
		const timer = setTimeout(() => setResult(null), confirmedForMs);
		return () => clearTimeout(timer);
	}, [result]);

	const words = { copied: "Copied", failed: "Press Ctrl+C" };
	return (
		<>
			<Button
				size={size}
				icon={result === "copied" ? <Check aria-hidden /> : <Copy aria-hidden />}
				onClick={async () => setResult((await copyText(text)) ? "copied" : "failed")}
			>
				{result ? words[result] : label}
			</Button>
			<span className="rd-visually-hidden" role="status">
				{result === "copied" ? "Copied to the clipboard" : ""}
			</span>
		</>
	);
}

/** Plain HTTP pages other than localhost have no clipboard API; there a selected field and the old command still work. */
async function copyText(text: string): Promise<boolean> {
	if (window.isSecureContext) {
		return navigator.clipboard.writeText(text).then(
			() => true,
			() => false,
		);
	}
	const field = document.createElement("textarea");
	field.value = text;
	document.body.append(field);
	field.select();
	const copied = document.execCommand("copy");
	field.remove();
	return copied;
}
