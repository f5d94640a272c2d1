// The interactive page of the API: swagger-ui, as who is signed in or by the token that is typed into it.

const { document: address, csrfToken } = document.body.dataset;

// It comes as a classic script, before this module.
const { SwaggerUIBundle } = /** @type {Window & { SwaggerUIBundle?: any }} */ (window);

SwaggerUIBundle({
  url: address,
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  // No validator of somebody else's.
  validatorUrl: null,
  requestInterceptor: (request) => {
    request.headers["X-CSRFToken"] = csrfToken;
    return request;
  },
});
