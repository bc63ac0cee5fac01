/** The parts of the OpenAPI document that no route says. */
export function openApiDocument(siteUrl: string) {
	return {
		openapi: "3.1.0",
		info: {
			title: "Repldock",
			version: "1",
			description: `Everything that the pages do, without a browser.

**Sign in.** Make a personal token in your settings (or with \`POST /api/v1/tokens\`) and send it as
\`Authorization: Bearer rd_…\`. To sign in with email and password instead, \`POST /api/auth/sign-in/email\` with
\`{"email", "password"}\` and keep the cookies; further endpoints are \`/api/auth/sign-up/email\`
(\`{"name", "email", "password"}\`), \`/api/auth/sign-out\` and \`/api/auth/change-password\`
(\`{"currentPassword", "newPassword", "revokeOtherSessions"}\`).

**Errors** are \`application/problem+json\`: \`code\` for programs, \`detail\` for people, \`fields\` for wrong inputs.

**Work in a project.** Files, runs and terminals are on the project's node, not here:

1. \`POST /api/v1/projects/{id}/ticket\` gives \`{ticket, gatewayUrl}\` and starts the container.
2. \`POST <gatewayUrl>/access\` with \`{"ticket"}\` gives \`{token, expiresAt}\`.
3. With \`Authorization: Bearer <token>\`, under \`<gatewayUrl>/projects/{id}\`: \`GET /state\`;
   \`GET /files?path=\` lists a directory, \`GET\`, \`PUT /files/content?path=\` read and write a file,
   \`POST /files/directory\`, \`POST /files/move\`, \`DELETE /files?path=\`; \`POST /run\` starts the program and
   \`POST /stop\` ends it; \`POST /terminals\` opens a shell.
4. Output and input of a run or terminal: a WebSocket to \`/ptys/<ptyId>\` with the subprotocols \`repldock\` and
   \`access.<token>\`; binary frames are bytes, text frames are JSON.`,
		},
		servers: [{ url: siteUrl }],
		security: [{ session: [] }, { token: [] }],
	};
}
