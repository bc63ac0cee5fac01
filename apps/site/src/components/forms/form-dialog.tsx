import { Button, type ButtonProps, Callout, Dialog, type DialogProps } from "@repldock/ui";
import { type ReactNode, useId } from "react";
import { SubmitButton } from "./submit-button.tsx";
import type { Submission } from "./use-submit.ts";

export interface FormDialogProps extends Omit<DialogProps, "footer" | "open"> {
	open?: boolean;
	submission: Submission;
	/** What the button that does it says. */
	submit: string;
	variant?: ButtonProps["variant"];
	/** The fields. */
	children?: ReactNode;
}

/** A dialog that asks for a few values and does one thing with them. Enter does it, too. */
export function FormDialog({ open = true, submission, submit, variant, children, ...dialog }: FormDialogProps) {
	const form = useId();
	const { pending, problem, onSubmit } = submission;
	return (
		<Dialog
			{...dialog}
			open={open}
			footer={
				<>
					<Button onClick={dialog.onClose}>Cancel</Button>
					<SubmitButton form={form} variant={variant} pending={pending}>
						{submit}
					</SubmitButton>
				</>
			}
		>
			<form id={form} className="form" method="post" onSubmit={onSubmit}>
				{problem && <Callout tone="danger">{problem}</Callout>}
				{children}
			</form>
		</Dialog>
	);
}
