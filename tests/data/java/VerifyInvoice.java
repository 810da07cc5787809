import java.io.File;
import java.io.ByteArrayInputStream;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Prints "valid" or "invalid" for each file: every signature must hold, by the JDK's own verifier. */
public class VerifyInvoice {
    public static void main(String[] files) throws Exception {
        DocumentBuilderFactory parsers = DocumentBuilderFactory.newInstance();
        parsers.setNamespaceAware(true);
        // A file that is no XML any more is refused like any other; what the parser says of it is noise.
        for (String file : files) {
            boolean valid;
            try {
                valid = isValid(parsers.newDocumentBuilder(), file);
            } catch (Exception problem) {
                System.err.println(file + ": " + problem);
                valid = false;
            }
            System.out.println(valid ? "valid" : "invalid");
        }
    }

    static boolean isValid(DocumentBuilder parser, String file) throws Exception {
        parser.setErrorHandler(null);
        Document document = parser.parse(new File(file));
        NodeList all = document.getElementsByTagName("*");
        for (int i = 0; i < all.getLength(); i++) {
            Element element = (Element) all.item(i);
            if (element.hasAttribute("Id")) {
                element.setIdAttributeNS(null, "Id", true);
            }
        }
        NodeList signatures = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        boolean valid = signatures.getLength() > 0;
        for (int i = 0; i < signatures.getLength(); i++) {
            valid &= holds((Element) signatures.item(i));
        }
        return valid;
    }

    static boolean holds(Element signature) throws Exception {
        String text = signature.getElementsByTagNameNS(XMLSignature.XMLNS, "X509Certificate").item(0).getTextContent();
        byte[] der = Base64.getMimeDecoder().decode(text);
        var key = CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der)).getPublicKey();
        DOMValidateContext context = new DOMValidateContext(key, signature);
        XMLSignature parsed = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
        return parsed.validate(context) && parsed.getSignedInfo().getReferences().size() >= 2;
    }
}
