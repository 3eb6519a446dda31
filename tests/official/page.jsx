// A chat as its users would write it: the threads of one resource, and the messages of one of them.
import {
    ConvexProvider,
    ConvexReactClient,
    useMutation,
    usePaginatedQuery,
    useQuery,
} from "convex/react";
import { makeFunctionReference } from "convex/server";
import { Component, useState } from "react";
import { createRoot } from "react-dom/client";

const listThreads = makeFunctionReference("threads:list");
const paginateMessages = makeFunctionReference("messages:paginate");
const saveMessages = makeFunctionReference("messages:save");

function Threads() {
    const found = useQuery(listThreads, {
        orderBy: "createdAt",
        order: "asc",
        limit: 20,
        withTotal: true,
    });
    if (found === undefined) return <p>...</p>;
    return (
        <ul id="threads">
            {found.page.map((thread) => (
                <li key={thread.id}>{thread.title}</li>
            ))}
        </ul>
    );
}

function Messages({ threadId }) {
    const args = { threadId, order: "desc" };
    const { results, status, loadMore } = usePaginatedQuery(paginateMessages, args, {
        initialNumItems: 5,
    });
    return (
        <>
            <ol id="messages">
                {results.map(({ id, content }) => (
                    <li key={id}>{JSON.parse(content)}</li>
                ))}
            </ol>
            <button id="more" onClick={() => loadMore(5)} disabled={status !== "CanLoadMore"}>
                {status}
            </button>
        </>
    );
}

function Write({ threadId }) {
    const [text, setText] = useState("");
    const save = useMutation(saveMessages);
    const send = async (event) => {
        event.preventDefault();
        const message = {
            id: crypto.randomUUID(),
            threadId,
            role: "user",
            content: JSON.stringify(text),
        };
        setText("");
        await save({ messages: [message] });
    };
    return (
        <form onSubmit={send}>
            <input id="text" value={text} onChange={(event) => setText(event.target.value)} />
        </form>
    );
}

/** What a query refuses is thrown while the page is drawn. */
class Refusals extends Component {
    state = { error: null };
    static getDerivedStateFromError(error) {
        return { error };
    }
    render() {
        const { error } = this.state;
        return error === null ? (
            this.props.children
        ) : (
            <p id="refused">{error.data?.code ?? String(error)}</p>
        );
    }
}

const { url, token } = window.settings;
const client = new ConvexReactClient(url);
if (token !== null) client.setAuth(async () => token);

createRoot(document.getElementById("root")).render(
    <ConvexProvider client={client}>
        <Refusals>
            <Threads />
            <Write threadId="t" />
            <Messages threadId="t" />
        </Refusals>
    </ConvexProvider>,
);
